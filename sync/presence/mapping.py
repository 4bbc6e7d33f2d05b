"""Maps a line state to a presence: Mitel's defaults. Pure."""

from enum import Enum
from typing import Final

from sync.domain.presence import LineState, Presence


class Unchanged(Enum):
    """The type of ``UNCHANGED``: do not change what is shown."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

DEFAULTS: Final[dict[LineState, Presence]] = {
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}
"""On a call and do-not-disturb: Mitel's user guide for its Teams integration, unidirectional presence."""

CLEARED: Final = frozenset({LineState.IDLE, LineState.OFFLINE})
"""Cleared: the user's own Teams client decides (Available would expire: Graph reference, setPresence)."""


def presence_of(state: LineState) -> Presence | Unchanged | None:
    """What Teams should show, None for nothing from us, ``UNCHANGED`` while ringing or unknown."""
    if state in CLEARED:
        return None
    return DEFAULTS.get(state, UNCHANGED)
