"""The states of a person's line and of a person's presence."""

from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

STALE_AFTER = timedelta(hours=1)
"""A state not reported or polled for this long is not shown any more, until the phone is heard of again."""


class LineState(StrEnum):
    """The state of a person's phone, all its calls taken together."""

    IDLE = "idle"
    RINGING = "ringing"
    ON_CALL = "on_call"
    ON_HOLD = "on_hold"
    IN_CONFERENCE = "in_conference"
    DO_NOT_DISTURB = "do_not_disturb"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


BUSY_LINES: Final = (
    *(LineState.ON_CALL, LineState.ON_HOLD, LineState.IN_CONFERENCE),
    *(LineState.RINGING, LineState.DO_NOT_DISTURB),
)
"""The states of a phone that is used, or must not ring."""

RESTING: Final = (LineState.IDLE, LineState.OFFLINE)
"""The states of the phones that do nothing: mostly everyone's."""

TALKING: Final = frozenset({LineState.ON_CALL.value, LineState.ON_HOLD.value, LineState.IN_CONFERENCE.value})
"""The states that count as a call."""


class Presence(StrEnum):
    """The only pairs that Graph's setPresence accepts (Graph reference, presence: setPresence)."""

    AVAILABLE = "Available/Available"
    IN_A_CALL = "Busy/InACall"
    IN_A_CONFERENCE_CALL = "Busy/InAConferenceCall"
    AWAY = "Away/Away"
    PRESENTING = "DoNotDisturb/Presenting"

    @property
    def availability(self) -> str:
        return self.value.partition("/")[0]

    @property
    def activity(self) -> str:
        return self.value.partition("/")[2]


class Shown(NamedTuple):
    """What Teams shows of a person, in Graph's words (Graph reference, presence resource): new ones may appear."""

    availability: str
    activity: str


class Effect(StrEnum):
    """What became of a presence that Graph accepted, as read back.

    ``OUTRANKED``: by another session, such as a meeting. ``PERHAPS_CHOSEN``: a weaker state, which a person may
    have chosen by hand, though the wish was sent again. ``NOT_SHOWN`` is a fault. ``UNCLEAR``: Graph said nothing
    of the person, or nothing that is known.
    """

    AS_WISHED = "as_wished"
    CHOSEN = "chosen"
    OUTRANKED = "outranked"
    PERHAPS_CHOSEN = "perhaps_chosen"
    NOT_SHOWN = "not_shown"
    UNCLEAR = "unclear"
