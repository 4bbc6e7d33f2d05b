import pytest

from sync.domain.presence import LineState, Presence
from sync.presence.mapping import CHOICES, MAPPABLE, QUIET, chosen_by, overrides_of, presence_of

EXPECTED = {
    LineState.IDLE: None,
    LineState.OFFLINE: None,
    LineState.RINGING: None,
    LineState.UNKNOWN: None,
    LineState.ON_CALL: Presence.IN_A_CALL,
    LineState.ON_HOLD: Presence.IN_A_CALL,
    LineState.IN_CONFERENCE: Presence.IN_A_CONFERENCE_CALL,
    LineState.DO_NOT_DISTURB: Presence.PRESENTING,
}


@pytest.mark.parametrize("state", LineState)
def test_every_line_state_is_mapped_as_by_mitel(state: LineState) -> None:
    assert presence_of(state, {}) is EXPECTED[state]


@pytest.mark.parametrize("state", MAPPABLE)
@pytest.mark.parametrize("chosen", [*CHOICES, None])
def test_what_is_chosen_for_a_state_is_shown_for_it_alone(state: LineState, chosen: Presence | None) -> None:
    stored = overrides_of({**chosen_by({}), state: chosen})
    assert presence_of(state, stored) is chosen
    others = set(LineState) - {state, LineState.ON_HOLD}
    assert all(presence_of(other, stored) is EXPECTED[other] for other in others)
    assert presence_of(LineState.ON_HOLD, stored) is presence_of(LineState.ON_CALL, stored)


def test_the_defaults_are_stored_as_nothing() -> None:
    assert overrides_of(chosen_by({})) == {}
    quiet = overrides_of({**chosen_by({}), **QUIET})
    assert quiet == {"on_call": "DoNotDisturb/Presenting", "in_conference": "DoNotDisturb/Presenting"}
    assert overrides_of({**chosen_by(quiet), **{state: EXPECTED[state] for state in QUIET}}) == {}
