import pytest

from sync.domain.presence import LineState, Presence
from sync.presence.mapping import presence_of

EXPECTED = {
    LineState.IDLE: None,
    LineState.OFFLINE: None,
    LineState.RINGING: None,
    LineState.UNKNOWN: None,
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}


@pytest.mark.parametrize("state", LineState)
def test_every_line_state_is_mapped_as_by_mitel(state: LineState) -> None:
    assert presence_of(state) is EXPECTED[state]
