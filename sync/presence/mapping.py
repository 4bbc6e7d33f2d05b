"""Maps a line state to a presence: Mitel's defaults, or what an administrator chose instead. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from sync.domain.presence import LineState, Presence

DEFAULTS: Final[dict[LineState, Presence]] = {
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}
"""On a call and do-not-disturb: Mitel's user guide for its Teams integration, unidirectional presence."""

MAPPABLE: Final = (LineState.ON_CALL, LineState.IN_CONFERENCE, LineState.DO_NOT_DISTURB, LineState.RINGING)
"""The states for which something else can be chosen. A call on hold is shown as a call is."""

CHOICES: Final = (Presence.IN_A_CALL, Presence.IN_A_CONFERENCE_CALL, Presence.PRESENTING)
"""What can be chosen, besides nothing: the presences that last.

Available fades after five minutes, and Away is hidden by every Teams client that is in use (Graph reference,
presence: setPresence).
"""

QUIET: Final = {LineState.ON_CALL: Presence.PRESENTING, LineState.IN_CONFERENCE: Presence.PRESENTING}
"""Quiet second call: during a call Teams does not ring."""

Chosen = Mapping[LineState, Presence | None]
Overrides = Mapping[str, str | None]
"""As stored: what differs from ``DEFAULTS``, by line state; None for nothing from us."""


def presence_of(state: LineState, overrides: Overrides) -> Presence | None:
    """What Teams should show of a known line; None for nothing from us.

    Nothing, by default: the user's own Teams client decides (Available would expire: Graph reference, setPresence).
    Ringing shows nothing either. A phone that rings beside a call is on the call: so what was shown before stays,
    and what a finished call left is cleared.
    """
    if state is LineState.ON_HOLD:
        return presence_of(LineState.ON_CALL, overrides)
    if state not in overrides:
        return DEFAULTS.get(state)
    chosen = overrides[state]
    return Presence(chosen) if chosen else None


def chosen_by(overrides: Overrides) -> Chosen:
    """What each state that can be mapped shows."""
    return {state: presence_of(state, overrides) for state in MAPPABLE}


def overrides_of(chosen: Chosen) -> dict[str, str | None]:
    """What of it differs from the defaults, as it is stored."""
    return {
        state.value: presence.value if presence else None
        for state, presence in chosen.items()
        if presence is not DEFAULTS.get(state)
    }


class Mapped(Protocol):
    """What an integration shows; ``further`` is as ``sync.presence.further_mappings`` stores it."""

    @property
    def mapping(self) -> dict[str, str | None]: ...
    @property
    def further(self) -> list[dict[str, Any]]: ...


def overrides_for(integration: Mapped, mapping_id: str) -> Overrides:
    """Those of the mapping that applies to a person; the integration's own for an empty or unknown id."""
    some = (each["overrides"] for each in integration.further if mapping_id and each["id"] == mapping_id)
    return next(some, integration.mapping)
