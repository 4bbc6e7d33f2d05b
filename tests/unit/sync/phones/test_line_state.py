from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, EndpointEvent, LineSnapshot
from sync.domain.presence import LineState
from sync.phones.line_state import (
    EVENT_PRECEDENCE,
    MAX_CALLS,
    Line,
    Verdict,
    apply_event,
    apply_snapshot,
    state_of,
    unknown_phone,
)
from tests.support.clocks import NOON


def call(state: CallState | None, at: int, call_id: str = "a", conference: bool = False) -> CallEvent:
    return CallEvent(f"{call_id}{state}{at}", "2001", "u", call_id, state, str(state), conference, at)


def phone(at: int, dnd: bool | None = None, state: str = "idle") -> EndpointEvent:
    return EndpointEvent(f"phone{at}", "2001", "u", dnd, state, at)


def snapshot(at: int, *calls: CallSnapshot, dnd: bool = False, state: str = "idle") -> LineSnapshot:
    return LineSnapshot("2001", "u", state, dnd, calls, at)


def seen(state: CallState | None, at: int, call_id: str = "a") -> CallSnapshot:
    return CallSnapshot(call_id, state, str(state), conference=False, at=at)


def after(*events: CallEvent | EndpointEvent, line: Line | None = None) -> Line:
    line = line or Line()
    for event in events:
        line, _ = apply_event(line, event, NOON)
    return line


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CallState.ORIGINATED, LineState.RINGING),
        (CallState.RINGING, LineState.RINGING),
        (CallState.CONNECTED, LineState.ON_CALL),
        (CallState.HELD, LineState.ON_CALL),
        (CallState.CONFERENCED, LineState.IN_CONFERENCE),
        (CallState.ENDED, LineState.IDLE),
    ],
)
def test_each_state_of_a_call_is_a_state_of_the_line(state: CallState, expected: LineState) -> None:
    assert state_of(after(call(state, 1))) is expected


def test_a_connected_call_with_the_conference_flag_is_a_conference_but_a_ringing_one_rings() -> None:
    assert state_of(after(call(CallState.CONNECTED, 1, conference=True))) is LineState.IN_CONFERENCE
    assert state_of(after(call(CallState.RINGING, 1, conference=True))) is LineState.RINGING


def test_without_any_report_the_state_is_unknown() -> None:
    assert state_of(Line()) is LineState.UNKNOWN


def test_the_line_is_idle_only_when_the_last_of_its_calls_ends() -> None:
    line = after(call(CallState.CONNECTED, 1), call(CallState.CONNECTED, 2, "b"), call(CallState.ENDED, 3))
    assert state_of(line) is LineState.ON_CALL
    assert state_of(after(call(CallState.ENDED, 4, "b"), line=line)) is LineState.IDLE


def test_do_not_disturb_takes_precedence_over_a_call() -> None:
    line = after(call(CallState.CONNECTED, 1), phone(2, dnd=True))
    assert state_of(line) is LineState.DO_NOT_DISTURB
    assert state_of(after(phone(3, dnd=False), line=line)) is LineState.ON_CALL


def test_a_late_event_is_dropped() -> None:
    line = after(call(CallState.HELD, 5))
    same, verdict = apply_event(line, call(CallState.RINGING, 4), NOON)
    assert (same, verdict) == (line, Verdict.LATE)


def test_an_ended_call_never_returns_even_with_a_newer_event() -> None:
    line = after(call(CallState.ENDED, 5))
    for at in (4, 6):
        assert apply_event(line, call(CallState.CONNECTED, at), NOON) == (line, Verdict.LATE)
    assert apply_snapshot(line, snapshot(9, seen(CallState.CONNECTED, 9)), NOON, NOON).calls == line.calls


def test_an_unknown_state_changes_nothing() -> None:
    line = after(call(CallState.CONNECTED, 1))
    assert apply_event(line, call(None, 2), NOON) == (line, Verdict.UNKNOWN_STATE)
    assert apply_event(line, phone(2, None, "levitating"), NOON) == (line, Verdict.UNKNOWN_STATE)


def test_an_endpoint_event_without_the_flag_leaves_do_not_disturb() -> None:
    line = after(phone(1, dnd=True), phone(2, None, "offline"))
    assert state_of(line) is LineState.DO_NOT_DISTURB
    assert state_of(after(phone(3, dnd=False, state="offline"), line=line)) is LineState.OFFLINE


def test_a_late_endpoint_event_is_dropped() -> None:
    line = after(phone(5, dnd=True))
    assert apply_event(line, phone(4, dnd=False), NOON) == (line, Verdict.LATE)


def test_a_call_missing_from_a_snapshot_has_ended() -> None:
    line = apply_snapshot(after(call(CallState.CONNECTED, 5)), snapshot(6), NOON, NOON)
    assert state_of(line) is LineState.IDLE


def test_a_call_newer_than_the_snapshot_stays_until_its_precedence_is_over() -> None:
    line = after(call(CallState.CONNECTED, 5))
    assert state_of(apply_snapshot(line, snapshot(4), NOON, NOON)) is LineState.ON_CALL
    later = NOON + EVENT_PRECEDENCE
    assert state_of(apply_snapshot(line, snapshot(4), later, later)) is LineState.IDLE


def test_a_snapshot_finds_a_call_and_do_not_disturb_without_an_event() -> None:
    line = apply_snapshot(Line(), snapshot(5, seen(CallState.CONNECTED, 4)), NOON, NOON)
    assert state_of(line) is LineState.ON_CALL
    assert state_of(apply_snapshot(line, snapshot(6, dnd=True), NOON, NOON)) is LineState.DO_NOT_DISTURB


def test_the_newer_of_snapshot_and_event_counts_for_do_not_disturb_and_for_a_call() -> None:
    line = after(phone(5, dnd=True), call(CallState.CONNECTED, 5))
    older = apply_snapshot(line, snapshot(4, seen(CallState.RINGING, 4)), NOON, NOON)
    assert state_of(older) is LineState.DO_NOT_DISTURB
    assert older.calls["a"].state is CallState.CONNECTED
    newer = apply_snapshot(line, snapshot(6, seen(CallState.CONFERENCED, 6)), NOON, NOON)
    assert state_of(newer) is LineState.IN_CONFERENCE


def test_a_known_call_in_an_unknown_state_keeps_its_state() -> None:
    line = after(call(CallState.CONNECTED, 1))
    assert state_of(apply_snapshot(line, snapshot(9, seen(None, 9)), NOON, NOON)) is LineState.ON_CALL


def test_a_phone_unknown_to_cloudlink_is_offline_after_a_while() -> None:
    line = after(call(CallState.CONNECTED, 5), phone(5, dnd=True))
    assert state_of(apply_snapshot(line, unknown_phone("2001", ""), NOON, NOON)) is LineState.DO_NOT_DISTURB
    later = NOON + timedelta(minutes=2)
    assert state_of(apply_snapshot(line, unknown_phone("2001", ""), later, later)) is LineState.OFFLINE


events = st.lists(
    st.builds(
        call,
        st.sampled_from(list(CallState)),
        st.integers(1, 50),
        st.sampled_from("abc"),
    ),
    max_size=12,
    unique_by=lambda event: (event.call_id, event.at),
)


@given(events, st.randoms())
def test_the_order_of_arrival_does_not_matter_once_every_call_has_ended(arrived: list[CallEvent], random) -> None:  # type: ignore[no-untyped-def]
    endings = [call(CallState.ENDED, 99, name) for name in {event.call_id for event in arrived}]
    shuffled = [*arrived, *endings]
    random.shuffle(shuffled)
    line = after(*shuffled)
    assert not arrived or state_of(line) is LineState.IDLE


@given(events, st.randoms())
def test_without_endings_the_newest_event_of_each_call_counts_whatever_the_order(arrived, random) -> None:  # type: ignore[no-untyped-def]
    alive = [replace(event, state=CallState.HELD) if event.state is CallState.ENDED else event for event in arrived]
    shuffled = list(alive)
    random.shuffle(shuffled)
    in_order = after(*sorted(alive, key=lambda event: event.at))
    assert {name: each.state for name, each in after(*shuffled).calls.items()} == {
        name: each.state for name, each in in_order.calls.items()
    }


def test_a_line_has_so_many_calls_and_further_ones_change_nothing_until_one_ends() -> None:
    line = after(*(call(CallState.CONNECTED, 1, f"call {number}") for number in range(MAX_CALLS)))
    assert apply_event(line, call(CallState.CONNECTED, 2, "more"), NOON) == (line, Verdict.TOO_MANY_CALLS)
    line, verdict = apply_event(line, call(CallState.ENDED, 2, "call 7"), NOON)
    assert verdict is Verdict.APPLIED
    assert apply_event(line, call(CallState.CONNECTED, 3, "more"), NOON)[1] is Verdict.APPLIED
