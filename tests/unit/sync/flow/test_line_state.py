from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, EndpointEvent, Event, LineSnapshot
from sync.domain.presence import LineState
from sync.flow.line_state import (
    FUTURE,
    MAX_CALLS,
    MAX_ENDPOINTS,
    SETTLING,
    Line,
    Reading,
    Verdict,
    apply_event,
    apply_snapshot,
    contradicts,
    heard_at,
    is_in_doubt,
    state_of,
    state_without_dnd,
    unknown_phone,
)
from tests.support.clocks import NOON
from tests.support.properties import unhurried

DESK, SOFTPHONE = "2001", "3001"
SECOND = timedelta(seconds=1)
NOW_MS = int(NOON.timestamp() * 1000)
TEN_YEARS = NOW_MS + 10 * 365 * 86_400_000


def call(
    state: CallState | None, at: int, call_id: str = "a", conference: bool = False, extension: str = DESK
) -> CallEvent:
    name = f"{extension} {call_id} {state} {at}"
    return CallEvent(name, extension, "u", call_id, state, str(state), conference, at)


def phone(at: int, dnd: bool | None = None, state: str = "idle", extension: str = DESK) -> EndpointEvent:
    return EndpointEvent(f"phone{at}", extension, "u", dnd, state, at)


def snapshot(
    at: int, *calls: CallSnapshot, dnd: bool | None = False, state: str = "idle", extension: str = DESK
) -> LineSnapshot:
    return LineSnapshot(extension, "u", state, dnd, calls, at)


def seen(state: CallState | None, at: int = 0, call_id: str = "a") -> CallSnapshot:
    return CallSnapshot(call_id, state, str(state), conference=False, at=at)


def after(*events: Event, line: Line | None = None, now: datetime = NOON) -> Line:
    line = line or Line()
    for event in events:
        line, _ = apply_event(line, event, now)
    return line


def read(line: Line, found: LineSnapshot, asked_at: datetime = NOON, now: datetime | None = None) -> Line:
    return apply_snapshot(line, Reading(found, asked_at, now or asked_at))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CallState.ORIGINATED, LineState.RINGING),
        (CallState.RINGING, LineState.RINGING),
        (CallState.CONNECTED, LineState.ON_CALL),
        (CallState.HELD, LineState.ON_HOLD),
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
    assert heard_at(Line()) is None


def test_the_line_is_idle_only_when_the_last_of_its_calls_ends_on_whatever_device() -> None:
    line = after(
        call(CallState.CONNECTED, 1),
        call(CallState.CONNECTED, 2, "b"),
        call(CallState.CONNECTED, 3, "a", extension=SOFTPHONE),
        call(CallState.ENDED, 4),
    )
    assert state_of(line) is LineState.ON_CALL
    line = after(call(CallState.ENDED, 5, "b"), line=line)
    assert state_of(line) is LineState.ON_CALL
    assert state_of(after(call(CallState.ENDED, 6, extension=SOFTPHONE), line=line)) is LineState.IDLE


def test_do_not_disturb_on_any_device_takes_precedence_over_a_call() -> None:
    line = after(call(CallState.CONNECTED, 1), phone(2, dnd=True, extension=SOFTPHONE))
    assert (state_of(line), state_without_dnd(line)) == (LineState.DO_NOT_DISTURB, LineState.ON_CALL)
    assert state_of(after(phone(3, dnd=False, extension=SOFTPHONE), line=line)) is LineState.ON_CALL


def test_a_person_is_offline_when_every_device_is() -> None:
    line = after(phone(1, state="offline"), phone(1, extension=SOFTPHONE))
    assert state_of(line) is LineState.IDLE
    assert state_of(after(phone(2, state="offline", extension=SOFTPHONE), line=line)) is LineState.OFFLINE


def test_a_late_event_is_dropped() -> None:
    line = after(call(CallState.HELD, 5))
    assert apply_event(line, call(CallState.RINGING, 4), NOON) == (line, Verdict.LATE)


@pytest.mark.parametrize(
    ("event", "early", "settled"),
    [
        (call(CallState.ENDED, 4), True, True),
        (call(CallState.RINGING, 4), False, True),
        (call(CallState.CONNECTED, 4), False, False),
        (call(CallState.ENDED, 4, call_id="unknown"), False, False),
        (phone(4, dnd=False), False, True),
        (phone(4, state="offline"), False, True),
        (phone(4, dnd=True), False, False),
        (phone(4), False, False),
    ],
)
def test_a_late_event_that_differs_is_doubted(event: Event, early: bool, settled: bool) -> None:
    line = after(phone(5, dnd=True), call(CallState.CONNECTED, 5))
    assert apply_event(line, event, NOON)[1] is (Verdict.LATE if "unknown" not in str(event) else Verdict.APPLIED)
    assert [contradicts(line, event, NOON + SETTLING * n) for n in (0, 1)] == [early, settled]


def test_a_late_event_of_a_call_that_has_ended_is_not_doubted() -> None:
    line = after(call(CallState.CONNECTED, 5), call(CallState.ENDED, 6))
    assert not contradicts(line, call(CallState.CONNECTED, 5), NOON + SETTLING)


def test_an_ended_call_stays_ended_for_what_is_not_newer() -> None:
    line = after(call(CallState.CONNECTED, 4), call(CallState.ENDED, 5))
    for at in (4, 5):
        assert apply_event(line, call(CallState.CONNECTED, at), NOON) == (line, Verdict.LATE)


def test_an_ended_call_is_live_again_for_what_is_newer() -> None:
    parked = after(call(CallState.CONNECTED, 1), call(CallState.ENDED, 5))
    assert state_of(after(call(CallState.RINGING, 6), line=parked)) is LineState.RINGING
    assert state_of(after(call(CallState.CONNECTED, 7), line=parked)) is LineState.ON_CALL
    assert state_of(after(call(CallState.CONNECTED, 0), line=parked)) is LineState.ON_CALL


@pytest.mark.parametrize("at", [0, 9])
def test_a_live_call_in_a_poll_wins_over_an_end_that_was_heard_before(at: int) -> None:
    parked = after(call(CallState.CONNECTED, 1), call(CallState.ENDED, 5))
    assert state_of(read(parked, snapshot(9, seen(CallState.CONNECTED, at)))) is LineState.ON_CALL


def test_a_live_call_in_a_poll_that_cloudlink_dates_before_the_end_wins_once_that_has_settled() -> None:
    over = after(call(CallState.CONNECTED, 1), call(CallState.ENDED, 5))
    found = snapshot(0, seen(CallState.CONNECTED, 1))
    line = read(over, found)
    assert state_of(line) is LineState.IDLE
    assert is_in_doubt(line, found)
    later = read(line, found, NOON + SETTLING)
    assert state_of(later) is LineState.ON_CALL
    assert not is_in_doubt(later, found)


def test_a_live_call_in_a_poll_asked_before_the_end_was_heard_does_not_undo_it() -> None:
    """However CloudLink dates either: an end dated ten years ahead has no time. The phone is read again."""
    for ended_at, at in ((5, 0), (5, 4), (5, 6), (0, 6), (TEN_YEARS, 6), (TEN_YEARS, TEN_YEARS)):
        over = after(call(CallState.RINGING, 1), call(CallState.ENDED, ended_at))
        found = snapshot(9, seen(CallState.CONNECTED, at))
        line = read(over, found, NOON - SECOND, NOON + SECOND)
        assert state_of(line) is LineState.IDLE
        assert is_in_doubt(line, found)
        assert state_of(read(line, found, NOON + SETTLING)) is LineState.ON_CALL


def test_a_state_of_a_live_call_that_was_heard_since_we_asked_stays_and_is_in_doubt() -> None:
    line = after(call(CallState.RINGING, 1), call(CallState.HELD, TEN_YEARS))
    found = snapshot(9, seen(CallState.CONNECTED, 6))
    held = read(line, found, NOON - SECOND, NOON + SECOND)
    assert state_of(held) is LineState.ON_HOLD
    assert is_in_doubt(held, found)
    later = read(held, found, NOON + SETTLING)
    assert state_of(later) is LineState.ON_CALL
    assert not is_in_doubt(later, found)


def test_a_known_word_without_meaning_changes_nothing() -> None:
    line = after(call(CallState.CONNECTED, 1))
    assert apply_event(line, call(CallState.UNCHANGED, 2), NOON) == (line, Verdict.UNCHANGED)
    assert state_of(read(line, snapshot(9, seen(CallState.UNCHANGED)))) is LineState.ON_CALL


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


@pytest.mark.parametrize("at", [TEN_YEARS, NOW_MS + int(FUTURE.total_seconds() * 1000) + 1])
def test_a_time_from_the_future_counts_as_now(at: int) -> None:
    line = after(phone(NOW_MS - 10, dnd=False), phone(at, dnd=True))
    assert state_of(line) is LineState.DO_NOT_DISTURB
    assert apply_event(line, phone(NOW_MS - 20, dnd=False), NOON)[1] is Verdict.LATE
    assert state_of(after(phone(NOW_MS, dnd=False), line=line)) is LineState.IDLE
    held = after(call(CallState.CONNECTED, at), call(CallState.ENDED, NOW_MS))
    assert state_of(held) is LineState.IDLE
    assert state_of(after(call(CallState.CONNECTED, at), line=held)) is LineState.ON_CALL


@pytest.mark.parametrize("ahead", [FUTURE + SECOND, timedelta(hours=7), timedelta(days=3650)])
def test_events_of_a_clock_that_is_ahead_keep_their_order(ahead: timedelta) -> None:
    """Until it is set right: then what it dated before holds nothing up."""
    at = NOW_MS + int(ahead.total_seconds() * 1000)
    ended = after(call(CallState.CONNECTED, at), call(CallState.ENDED, at + 2000), now=NOON + SECOND)
    assert apply_event(ended, call(CallState.RINGING, at + 1000), NOON + SECOND)[1] is Verdict.LATE
    shown = after(phone(at + 2000, dnd=False), phone(at + 1000, dnd=True))
    assert state_of(shown) is LineState.IDLE
    assert state_of(after(call(CallState.CONNECTED, NOW_MS + 3000), line=ended)) is LineState.ON_CALL
    assert state_of(after(phone(NOW_MS + 3000, dnd=True), line=shown)) is LineState.DO_NOT_DISTURB


def test_a_time_from_the_future_in_a_snapshot_counts_as_now() -> None:
    line = read(Line(), snapshot(TEN_YEARS, seen(CallState.CONNECTED, TEN_YEARS)))
    assert state_of(line) is LineState.ON_CALL
    assert state_of(after(call(CallState.ENDED, NOW_MS + 1), phone(NOW_MS + 1, dnd=True), line=line)) is (
        LineState.DO_NOT_DISTURB
    )
    assert state_of(after(call(CallState.ENDED, NOW_MS + 1), line=line)) is LineState.IDLE


def test_a_stored_time_from_the_future_holds_nothing_up() -> None:
    line = after(call(CallState.CONNECTED, NOW_MS), phone(NOW_MS, dnd=True))
    set_back = NOON - timedelta(hours=1)
    an_hour_ago = NOW_MS - 3_600_000
    events = (call(CallState.ENDED, an_hour_ago), phone(an_hour_ago, dnd=False))
    assert state_of(after(*events, line=line, now=set_back)) is LineState.IDLE
    assert state_of(read(line, snapshot(0), set_back)) is LineState.IDLE


def test_a_clock_set_back_by_little_does_not_hold_up_what_cloudlink_answers() -> None:
    line = after(call(CallState.CONNECTED, 0))
    assert state_of(read(line, snapshot(0), NOON - SETTLING - SECOND)) is LineState.IDLE
    assert state_of(read(line, snapshot(0), NOON - SECOND)) is LineState.ON_CALL


def test_a_call_missing_from_a_snapshot_has_ended() -> None:
    assert state_of(read(after(call(CallState.CONNECTED, 5)), snapshot(6))) is LineState.IDLE


def test_a_call_newer_than_the_snapshot_stays_until_it_has_settled() -> None:
    line = after(call(CallState.CONNECTED, 5))
    early = read(line, snapshot(4))
    assert state_of(early) is LineState.ON_CALL
    assert is_in_doubt(early, snapshot(4))
    late = read(line, snapshot(4), NOON + SETTLING)
    assert state_of(late) is LineState.IDLE
    assert not is_in_doubt(late, snapshot(4))


@pytest.mark.parametrize("behind", [timedelta(minutes=5), timedelta(minutes=-4), timedelta()])
def test_a_call_heard_of_after_we_asked_stays_wherever_cloudlinks_clock_is(behind: timedelta) -> None:
    at = int((NOON - behind).timestamp() * 1000)
    line = after(call(CallState.CONNECTED, at), phone(at, dnd=True))
    for found in (snapshot(0), snapshot(at - 1), snapshot(at + 1000)):
        line = read(line, found, NOON - SECOND, NOON + SECOND)
        assert line.at(DESK).live_calls == {"a"}
        assert line.at(DESK).do_not_disturb
    assert state_of(read(line, snapshot(0), NOON + timedelta(minutes=1))) is LineState.IDLE


def test_a_snapshot_says_nothing_about_another_device() -> None:
    line = after(call(CallState.CONNECTED, 5, extension=SOFTPHONE), phone(5, dnd=False))
    later = NOON + timedelta(minutes=5)
    for found in (snapshot(0), snapshot(TEN_YEARS), unknown_phone(DESK)):
        line = read(line, found, later)
        assert state_of(line) is LineState.ON_CALL
    assert state_of(read(line, snapshot(0, extension=SOFTPHONE), later)) is LineState.IDLE


def test_a_snapshot_finds_a_call_and_do_not_disturb_without_an_event() -> None:
    line = read(Line(), snapshot(5, seen(CallState.CONNECTED, 4)))
    assert state_of(line) is LineState.ON_CALL
    assert state_of(read(line, snapshot(6, dnd=True))) is LineState.DO_NOT_DISTURB
    assert state_of(read(line, snapshot(6, dnd=None))) is LineState.IDLE


def test_a_snapshot_that_does_not_name_do_not_disturb_leaves_it() -> None:
    line = after(phone(5, dnd=True))
    assert state_of(read(line, snapshot(6, dnd=None), NOON + timedelta(hours=1))) is LineState.DO_NOT_DISTURB


def test_a_polled_call_without_a_time_counts_as_of_the_moment_of_asking() -> None:
    ringing = after(call(CallState.RINGING, NOW_MS))
    later = NOON + SECOND
    talking = read(ringing, snapshot(0, seen(CallState.CONNECTED)), later)
    assert state_of(talking) is LineState.ON_CALL
    assert apply_event(talking, call(CallState.RINGING, NOW_MS - 1), later)[1] is Verdict.LATE
    assert state_of(after(call(CallState.ENDED, NOW_MS + 500), line=talking, now=later)) is LineState.IDLE


def test_the_newer_of_snapshot_and_event_counts_for_do_not_disturb_and_for_a_call() -> None:
    line = after(phone(5, dnd=True), call(CallState.CONNECTED, 5))
    older = read(line, snapshot(4, seen(CallState.RINGING, 4)))
    assert state_of(older) is LineState.DO_NOT_DISTURB
    assert older.at(DESK).calls["a"].state is CallState.CONNECTED
    assert state_of(read(line, snapshot(6, seen(CallState.CONFERENCED, 6)))) is LineState.IN_CONFERENCE


def test_a_known_call_in_an_unknown_state_keeps_its_state() -> None:
    line = after(call(CallState.CONNECTED, 1))
    assert state_of(read(line, snapshot(9, seen(None, 9)))) is LineState.ON_CALL
    over = after(call(CallState.ENDED, 1))
    found = snapshot(9, seen(None, 9))
    assert state_of(read(over, found)) is LineState.IDLE
    assert not is_in_doubt(read(over, found), found)


def test_a_phone_unknown_to_cloudlink_is_offline_once_that_has_settled() -> None:
    line = after(call(CallState.CONNECTED, 5), phone(5, dnd=True))
    assert state_of(read(line, unknown_phone(DESK))) is LineState.DO_NOT_DISTURB
    assert state_of(read(line, unknown_phone(DESK), NOON + SETTLING)) is LineState.OFFLINE


def test_only_devices_that_make_the_state_keep_it_fresh() -> None:
    line = after(call(CallState.CONNECTED, 5, extension=SOFTPHONE))
    later = NOON + timedelta(hours=2)
    line = read(line, snapshot(0), later)
    assert heard_at(line) == NOON
    line = read(line, snapshot(0, seen(CallState.CONNECTED), extension=SOFTPHONE), later)
    assert heard_at(line) == later


def test_no_more_endpoints_are_remembered_than_a_person_can_have_and_none_with_a_call_is_forgotten() -> None:
    line = after(call(CallState.CONNECTED, 1))
    for number in range(MAX_ENDPOINTS + 5):
        line = after(phone(1, extension=f"4{number:03}"), line=line, now=NOON + number * SECOND)
    assert len(line.endpoints) == MAX_ENDPOINTS
    assert line.at(DESK).live_calls == {"a"}
    assert "4000" not in line.endpoints
    assert "4020" in line.endpoints


calls = st.builds(
    call,
    st.sampled_from([state for state in CallState if state is not CallState.UNCHANGED]),
    st.integers(1, 50),
    st.sampled_from("abc"),
    extension=st.sampled_from([DESK, SOFTPHONE]),
)
events = st.lists(calls, max_size=14, unique_by=lambda event: (event.extension, event.call_id, event.at))


def states(line: Line) -> dict[tuple[str, str], CallState]:
    return {
        (extension, name): each.state
        for extension, endpoint in line.endpoints.items()
        for name, each in endpoint.calls.items()
    }


@unhurried
@given(events, st.randoms(), st.data())
def test_neither_order_nor_doubles_matter(arrived: list[CallEvent], random: Random, data: st.DataObject) -> None:
    doubled = data.draw(st.lists(st.sampled_from(arrived), max_size=5)) if arrived else []
    shuffled = [*arrived, *doubled]
    random.shuffle(shuffled)
    assert states(after(*shuffled)) == states(after(*sorted(arrived, key=lambda event: event.at)))


@unhurried
@given(events, st.sets(st.integers(0, 20)))
def test_a_poll_of_every_device_makes_up_for_any_loss(arrived: list[CallEvent], lost: set[int]) -> None:
    truth = after(*sorted(arrived, key=lambda event: event.at))
    line = after(*(event for place, event in enumerate(arrived) if place not in lost))
    for extension in (DESK, SOFTPHONE):
        found = snapshot(0, *live_on(truth, extension), extension=extension)
        line = read(line, found, NOON + timedelta(minutes=1))
    assert {name: state for name, state in states(line).items() if state is not CallState.ENDED} == {
        name: state for name, state in states(truth).items() if state is not CallState.ENDED
    }


def live_on(line: Line, extension: str) -> Sequence[CallSnapshot]:
    endpoint = line.at(extension)
    return [seen(endpoint.calls[name].state, call_id=name) for name in sorted(endpoint.live_calls)]


@unhurried
@given(events)
def test_devices_do_not_disturb_each_other(arrived: list[CallEvent]) -> None:
    together = after(*arrived)
    for extension in (DESK, SOFTPHONE):
        alone = after(*(event for event in arrived if event.extension == extension))
        assert together.at(extension) == alone.at(extension)


@unhurried
@given(events, st.integers(-600, 600))
def test_a_constant_difference_of_the_clocks_changes_nothing_about_events(
    arrived: list[CallEvent], by: int
) -> None:
    moved = [replace(event, at=NOW_MS + by * 1000 - 600_000 + event.at) for event in arrived]
    assert states(after(*moved)) == states(after(*arrived))


def test_a_line_has_so_many_calls_and_further_ones_change_nothing_until_one_ends() -> None:
    line = after(*(call(CallState.CONNECTED, 1, f"call {number}") for number in range(MAX_CALLS)))
    assert apply_event(line, call(CallState.CONNECTED, 2, "more"), NOON) == (line, Verdict.TOO_MANY_CALLS)
    line, verdict = apply_event(line, call(CallState.ENDED, 2, "call 7"), NOON)
    assert verdict is Verdict.APPLIED
    assert apply_event(line, call(CallState.CONNECTED, 3, "more"), NOON)[1] is Verdict.APPLIED


def test_one_call_on_hold_beside_another_is_a_call() -> None:
    both = after(call(CallState.HELD, 5), replace(call(CallState.CONNECTED, 6), call_id="other"))
    assert state_of(both) is LineState.ON_CALL
