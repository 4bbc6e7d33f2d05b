"""Maps a line state to a presence: Mitel's defaults. Pure."""

from typing import Final

from sync.domain.presence import LineState, Presence

DEFAULTS: Final[dict[LineState, Presence]] = {
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}
"""On a call and do-not-disturb: Mitel's user guide for its Teams integration, unidirectional presence."""


def presence_of(state: LineState) -> Presence | None:
    """What Teams should show of a known line; None for nothing from us.

    Nothing: the user's own Teams client decides (Available would expire: Graph reference, setPresence). Ringing
    shows nothing either. A phone that rings beside a call is on the call: so what was shown before stays, and what
    a finished call left is cleared.
    """
    return DEFAULTS.get(state)
