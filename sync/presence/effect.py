"""Compares what Teams shows of a person with what our session wishes. Pure.

Teams combines sessions, DoNotDisturb over Busy over Available over Away, and a state that the person chose by hand
wins over them all (Graph reference, presence resource and setUserPreferredPresence). Graph does not say where
what it shows comes from, so this is concluded from the words alone.
"""

from sync.domain.presence import Effect, Presence, Shown

_RANKS = {
    "offline": 0,
    "away": 1,
    "berightback": 1,
    "availableinactive": 2,
    "availableidle": 2,
    "available": 3,
    "busyidle": 4,
    "busy": 4,
    "inacall": 4,
    "inaconferencecall": 4,
    "inameeting": 4,
    "donotdisturb": 5,
    "presenting": 5,
    "focusing": 5,
}
"""Availability in the order in which it wins; Graph writes some activities there too."""

_ONLY_CHOSEN = {"busy", "donotdisturb", "urgentinterruptionsonly", "berightback", "offwork", "outofoffice"}
"""Activities that people choose (setUserPreferredPresence) or set up for themselves."""

_CHOSEN_OR_CLIENT = {"available", "away"}
"""Activities that may be chosen, or come from a Teams client that is in use or idle."""


def effect_of(wish: Presence, shown: Shown | None, *, sent_again: bool = False) -> Effect:
    """What became of ``wish``, which Graph accepted, once more if ``sent_again``; None: Graph said nothing."""
    if shown is None:
        return Effect.UNCLEAR
    availability, activity = shown.availability.casefold(), shown.activity.casefold()
    if wish.activity.casefold() in (activity, availability):
        return Effect.AS_WISHED
    rank = _RANKS.get(availability)
    if activity in _ONLY_CHOSEN:
        return Effect.CHOSEN
    if rank is None:
        return Effect.UNCLEAR
    if rank >= _RANKS[wish.availability.casefold()]:
        return Effect.OUTRANKED
    is_choice = sent_again and activity in _CHOSEN_OR_CLIENT
    return Effect.PERHAPS_CHOSEN if is_choice else Effect.NOT_SHOWN
