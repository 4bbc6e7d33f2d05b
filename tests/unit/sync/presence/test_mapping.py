import pytest

from sync.domain.presence import LineState, Presence
from sync.presence.mapping import (
    COUNTS_AS,
    DEFAULTS,
    MAPPABLE,
    QUIET,
    Leave,
    choices_of,
    chosen_by,
    counted_as,
    overrides_of,
    presence_of,
)

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


def test_every_state_that_is_known_of_a_phone_can_be_mapped() -> None:
    assert set(MAPPABLE) == set(LineState) - {LineState.UNKNOWN}


@pytest.mark.parametrize("state", MAPPABLE)
def test_what_is_chosen_for_a_state_is_shown_for_it_and_those_that_count_as_it(state: LineState) -> None:
    for chosen in set(choices_of(state)) - {Leave.ALONE}:
        stored = overrides_of({**chosen_by({}), state: chosen})
        for other in LineState:
            is_concerned = state in counted_as(other, stored)
            assert presence_of(other, stored) is (chosen if is_concerned else EXPECTED[other])
    counting = {other for other in LineState if state in counted_as(other, {})}
    theirs = {LineState.ON_CALL: {LineState.ON_HOLD}, LineState.IDLE: {LineState.RINGING}}
    assert counting == {state} | theirs.get(state, set())


@pytest.mark.parametrize("state", COUNTS_AS)
def test_a_state_that_is_left_alone_counts_as_another_whatever_was_before(state: LineState) -> None:
    free = Presence.IN_A_CONFERENCE_CALL
    stored = overrides_of({**chosen_by({}), LineState.IDLE: free, state: Leave.ALONE})
    in_call = state in (LineState.ON_HOLD, LineState.IN_CONFERENCE)
    assert presence_of(state, stored) is (Presence.IN_A_CALL if in_call else free)
    all_left = overrides_of({**dict.fromkeys(MAPPABLE, Leave.ALONE), LineState.IDLE: None})
    assert presence_of(state, all_left) is None


def test_a_free_phone_cannot_be_left_alone() -> None:
    assert Leave.ALONE not in choices_of(LineState.IDLE)
    assert all(Leave.ALONE in choices_of(state) for state in set(MAPPABLE) - {LineState.IDLE})


def test_the_defaults_are_stored_as_nothing() -> None:
    assert overrides_of(chosen_by({})) == {}
    quiet = overrides_of({**chosen_by({}), **QUIET})
    assert quiet == {"on_call": "DoNotDisturb/Presenting", "in_conference": "DoNotDisturb/Presenting"}
    assert overrides_of({**chosen_by(quiet), **{state: DEFAULTS.get(state) for state in QUIET}}) == {}


@pytest.mark.parametrize("state", MAPPABLE)
def test_what_is_stored_is_what_was_chosen(state: LineState) -> None:
    for chosen in choices_of(state):
        assert chosen_by(overrides_of({**chosen_by({}), state: chosen}))[state] is chosen
