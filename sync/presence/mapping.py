"""Maps a line state to a presence: Mitel's defaults, or what an administrator chose instead. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

from storage.tables.columns import UNSURE
from sync.domain.presence import TALKING, LineState, Presence


class Leave(StrEnum):
    """Of a state that changes nothing: the phone counts as if it were in the one of ``COUNTS_AS``."""

    ALONE = "leave"


Choice = Presence | Leave | None
"""What a state shows; None for nothing from us."""

DEFAULTS: Final[dict[LineState, Choice]] = {
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
    LineState.RINGING: Leave.ALONE,
    LineState.ON_HOLD: Leave.ALONE,
}
"""On a call and do-not-disturb: Mitel's user guide for its Teams integration, unidirectional presence.

Of the others nothing is said: a call on hold is a call, and all else shows nothing. A phone that rings beside a
call is on the call: so what was shown before stays, and what a finished call left is cleared.
"""

USUAL: Final = (LineState.ON_CALL, LineState.IN_CONFERENCE, LineState.DO_NOT_DISTURB, LineState.RINGING)
MAPPABLE: Final = (*USUAL, LineState.ON_HOLD, LineState.IDLE, LineState.OFFLINE)
"""The states that are known of a phone: CloudLink reports no other, such as *away*."""

PRESENCES: Final = (Presence.IN_A_CALL, Presence.IN_A_CONFERENCE_CALL, Presence.PRESENTING)
"""The presences that can be chosen: those that last.

Available fades after five minutes, and Away is hidden by every Teams client that is in use (Graph reference,
presence: setPresence).
"""

COUNTS_AS: Final = {
    LineState.ON_HOLD: LineState.ON_CALL,
    LineState.IN_CONFERENCE: LineState.ON_CALL,
    LineState.ON_CALL: LineState.IDLE,
    LineState.RINGING: LineState.IDLE,
    LineState.OFFLINE: LineState.IDLE,
}
"""What a phone counts as in a state that is left alone; on do-not-disturb, as what it is without it.

It depends on nothing that was before: a presence that stayed until the next state would show a call for hours after
its end, and differ with each event that is lost.
"""

QUIET: Final[dict[LineState, Choice]] = {
    LineState.ON_CALL: Presence.PRESENTING,
    LineState.IN_CONFERENCE: Presence.PRESENTING,
    LineState.ON_HOLD: Leave.ALONE,
}
"""Quiet second call: during a call Teams does not ring."""

Chosen = Mapping[LineState, Choice]
Overrides = Mapping[str, str | None]
"""As stored: what differs from ``DEFAULTS``, by line state; None for nothing from us."""


def choices_of(state: LineState) -> tuple[Choice, ...]:
    """What can be chosen for a state. Nothing is left of a free phone: to leave it alone is to show nothing."""
    return (*PRESENCES, None) if state is LineState.IDLE else (*PRESENCES, None, Leave.ALONE)


def choice_of(state: LineState, overrides: Overrides) -> Choice:
    if state not in overrides:
        return DEFAULTS.get(state)
    stored = overrides[state]
    return Leave.ALONE if stored == Leave.ALONE else Presence(stored) if stored else None


def counted_as(
    state: LineState, overrides: Overrides, without_dnd: LineState = LineState.UNKNOWN
) -> list[LineState]:
    """The state, and those that it counts as while they are left alone: the choice of the last decides."""
    states, instead = [state], {**COUNTS_AS, LineState.DO_NOT_DISTURB: without_dnd}
    while states[-1] in instead and choice_of(states[-1], overrides) is Leave.ALONE:
        states.append(instead[states[-1]])
    return states


def presence_of(
    state: LineState, overrides: Overrides, without_dnd: LineState = LineState.UNKNOWN
) -> Presence | None:
    """What Teams should show of a known line; None for nothing from us.

    ``without_dnd`` is what the line would be without do-not-disturb.
    Nothing, by default: the user's own Teams client decides (Available would expire: Graph reference, setPresence).
    """
    choice = choice_of(counted_as(state, overrides, without_dnd)[-1], overrides)
    return choice if isinstance(choice, Presence) else None


def chosen_by(overrides: Overrides) -> Chosen:
    """What is chosen for each state that can be mapped."""
    return {state: choice_of(state, overrides) for state in MAPPABLE}


def overrides_of(chosen: Chosen) -> dict[str, str | None]:
    """What of it differs from the defaults, as it is stored."""
    return {
        state.value: choice.value if choice else None
        for state, choice in chosen.items()
        if choice is not DEFAULTS.get(state)
    }


def begins_call(line: str, before: str | None, shown: str | None, overrides: Overrides) -> bool:
    """Whether a call begins to be shown by ``shown``: ``before`` was nothing, or that the phone rings."""
    if line not in {*TALKING, LineState.RINGING} or shown is None or before == UNSURE:
        return False
    of_calls = {presence_of(LineState(each), overrides) for each in TALKING}
    return shown in of_calls and (before is None or before not in of_calls)


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
