import pytest

from sync.domain.presence import LineState, Presence
from sync.presence.mapping import UNCHANGED, Unchanged, presence_of

EXPECTED = {
    LineState.IDLE: None,
    LineState.OFFLINE: None,
    LineState.RINGING: UNCHANGED,
    LineState.UNKNOWN: UNCHANGED,
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}


@pytest.mark.parametrize("state", LineState)
def test_every_line_state_is_mapped_as_by_mitel(state: LineState) -> None:
    expected: Presence | Unchanged | None = EXPECTED[state]
    assert presence_of(state) is expected
