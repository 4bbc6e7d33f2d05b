from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from sync.domain.changes import Done, Failed, Outcome, Throttled
from sync.domain.errors import Fault, ServiceUnavailable
from sync.teams.quota import (
    IN_FLIGHT,
    LONGEST_BLOCK,
    MARGIN,
    SEND_WITHIN,
    SLOT,
    WINDOW,
    Quota,
    QuotaLedger,
    Spent,
    recent,
    spend,
)
from tests.support.clocks import NOON, FakeClock
from tests.support.properties import unhurried


def test_spent_quota_is_free_again_after_the_window() -> None:
    quota = Quota(100)
    spent = spend([], NOON, 100)
    assert quota.left(spent, NOON) == 0
    assert quota.free_at([], NOON) == NOON
    free = quota.free_at(spent, NOON)
    assert quota.left(spent, free - timedelta(milliseconds=1)) == 0
    assert quota.left(spent, free) == 100
    assert timedelta(seconds=WINDOW) <= free - NOON <= timedelta(seconds=WINDOW + MARGIN)


def test_who_waits_for_the_quota_uses_nearly_all_of_it() -> None:
    ledger, row, now, sent = ledger_of(1500), Row(), NOON, 0
    while now < NOON + timedelta(minutes=10):
        until, requests = ledger.allowance([row], now)
        began = now = until or now
        ledger.reserve(row, requests, began)
        now += timedelta(milliseconds=20)
        ledger.settle(row, requests, began, now)
        sent += requests
    assert sent * WINDOW / ((now - NOON).total_seconds() * 1500) >= 0.98


def test_half_a_second_is_one_pair_and_old_pairs_are_dropped() -> None:
    spent = spend(spend([], NOON, 3), NOON + timedelta(milliseconds=400), 4)
    assert [count for _, count in spent] == [7]
    assert len(spend(spent, NOON + timedelta(minutes=5), 1)) == 1


@unhurried
@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40)), max_size=40), st.integers(1, 50))
def test_no_thirty_seconds_ever_hold_more_than_the_limit(steps: list[tuple[float, int]], limit: int) -> None:
    quota, spent, now = Quota(limit), Spent(), NOON
    sent: list[tuple[float, int]] = []
    for pause, wanted in steps:
        now += timedelta(seconds=pause)
        allowed = min(wanted, quota.left(spent, now))
        if allowed:
            spent = spend(spent, now, allowed)
            sent.append((now.timestamp(), allowed))
        assert len(recent(spent, now)) <= (WINDOW + MARGIN) / SLOT + 2
    for start, _ in sent:
        assert sum(count for at, count in sent if start <= at < start + WINDOW) <= limit


@dataclass
class Row:
    quota_spent: Spent = field(default_factory=list)
    quota_blocked_until: datetime | None = None
    quota_limit: int = 1500
    quota_changed_at: datetime | None = None


def test_a_reservation_is_stored_and_counted_once_and_none_costs_nothing() -> None:
    registry, row = CollectorRegistry(), Row()
    ledger = QuotaLedger(Quota(10), Metrics(registry))
    for requests in (3, 0, 4):
        ledger.reserve(row, requests, NOON)
    assert row.quota_spent == [[int(NOON.timestamp()), 7, IN_FLIGHT]]
    assert ledger.allowance([row], NOON) == (None, 3)
    assert registry.get_sample_value("cloudlink_presence_quota_spent_total") == 7


def test_a_block_is_only_ever_extended() -> None:
    row, ledger = Row(), QuotaLedger(Quota(10), Metrics(CollectorRegistry()))
    for seconds in (30, 10):
        ledger.block(row, NOON + timedelta(seconds=seconds))
    assert row.quota_blocked_until == NOON + timedelta(seconds=30)
    assert ledger.allowance([row], NOON) == (row.quota_blocked_until, 0)


def ledger_of(limit: int = 10_000) -> QuotaLedger:
    return QuotaLedger(Quota(limit), Metrics(CollectorRegistry()))


def test_the_limit_grows_by_a_tenth_for_each_window_in_which_it_was_the_bottleneck() -> None:
    rows, ledger, now, limits = [Row(), Row()], ledger_of(1900), NOON, []
    for _ in range(5):
        ledger.grow(rows, now)
        limits.append(ledger.limit(rows))
        assert not ledger.grow(rows, now + timedelta(seconds=WINDOW - 1))
        now += timedelta(seconds=WINDOW + MARGIN)
    assert limits == [1500, 1650, 1815, 1900, 1900]


@pytest.mark.parametrize(
    "outcome", [Throttled(5.0), Failed(ServiceUnavailable(Fault.GRAPH_THROTTLED, retry_after=5.0))]
)
def test_a_429_halves_the_limit_once_and_it_is_remembered(outcome: Outcome) -> None:
    row, ledger = Row(quota_limit=4000), ledger_of()
    ledger.block_if_throttled(row, [Done(), outcome, outcome], NOON)
    ledger.block_if_throttled(row, [outcome], NOON + timedelta(seconds=1))
    assert (row.quota_limit, row.quota_blocked_until) == (2000, NOON + timedelta(seconds=6))
    assert not ledger.grow([row], NOON + timedelta(seconds=10))
    assert ledger.grow([row], NOON + timedelta(seconds=40))
    assert row.quota_limit == 2200


def test_of_two_who_share_a_quota_the_smaller_limit_counts() -> None:
    assert ledger_of().limit([Row(quota_limit=3000), Row()]) == 1500
    assert ledger_of(10).limit([Row()]) == 10


def test_requests_count_from_their_response_on_and_while_they_are_in_flight() -> None:
    row, ledger = Row(), ledger_of(10)
    ledger.reserve(row, 10, NOON)
    late = NOON + timedelta(seconds=SEND_WITHIN + 30)
    assert ledger.allowance([row], late) == (NOON + timedelta(seconds=IN_FLIGHT), 0)
    ledger.settle(row, 10, NOON, late)
    assert row.quota_spent == [[int(late.timestamp()), 10]]
    assert ledger.allowance([row], late + timedelta(seconds=WINDOW))[1] == 0
    assert ledger.allowance([row], late + timedelta(seconds=WINDOW + MARGIN + 1)) == (None, 10)


@unhurried
@given(
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40), st.floats(0, 30), st.integers(1, 40)), max_size=25),
    st.integers(1, 50),
)
def test_no_thirty_seconds_hold_more_than_the_limit_though_the_loop_stalls(
    steps: list[tuple[float, float, float, int]], limit: int
) -> None:
    """Two processes in turn: one that answers promptly, and one whose requests leave and arrive late."""
    row, ledger, now = Row(), ledger_of(limit), NOON
    arrived: list[tuple[float, int]] = []
    for pause, stall, answer, wanted in steps:
        now += timedelta(seconds=pause)
        requests = min(wanted, ledger.allowance([row], now)[1])
        ledger.reserve(row, requests, now)
        reserved_at, left_at = now, now + timedelta(seconds=stall)
        if ledger.is_too_late(reserved_at, left_at):
            continue
        others = min(wanted, ledger.allowance([row], left_at)[1])
        ledger.reserve(row, others, left_at)
        ledger.settle(row, others, left_at, left_at)
        arrived += [(left_at.timestamp(), others), ((left_at + timedelta(seconds=answer)).timestamp(), requests)]
        now = left_at + timedelta(seconds=answer)
        ledger.settle(row, requests, reserved_at, now)
    for start, _ in arrived:
        assert sum(count for at, count in arrived if start <= at < start + WINDOW) <= limit


def test_after_the_clock_was_set_back_no_block_lasts_until_it_has_caught_up() -> None:
    """A wait that is longer than any, and spending in the future, were stored by a clock that was ahead."""
    ledger, before = QuotaLedger(Quota(5), Metrics(CollectorRegistry())), NOON + timedelta(hours=1)
    row = Row()
    ledger.reserve(row, 5, before)
    ledger.block(row, before + timedelta(seconds=20))
    until, left = ledger.allowance([row], NOON)
    assert until == NOON + LONGEST_BLOCK
    assert left == 0
    assert ledger.allowance([row], until) == (None, 5)


class SetClock:
    """A clock that can be set, with the steady one beside it."""

    def __init__(self) -> None:
        self.steady = FakeClock()
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return self.steady() + self.ahead

    def ledger(self, limit: int = 10) -> QuotaLedger:
        return QuotaLedger(Quota(limit), Metrics(CollectorRegistry()), self, self.steady)

    def spent(self, row: Row) -> tuple[QuotaLedger, datetime]:
        """A ledger with a limit of 10 that sent 6, while 4 are in flight since now."""
        ledger = self.ledger()
        ledger.allowance([row], self())
        ledger.reserve(row, 6, self())
        ledger.settle(row, 6, self(), self())
        ledger.reserve(row, 4, reserved_at := self())
        return ledger, reserved_at


@pytest.mark.parametrize("step", [0.4, 0.6, 0.9, 5, 40, 100, 86_400])
def test_a_clock_that_is_set_forward_does_not_forget_what_was_sent(step: float) -> None:
    """Half a window after it was sent; what was in flight still is. A small step is within the margin."""
    clock, row = SetClock(), Row()
    ledger, reserved_at = clock.spent(row)
    clock.steady.advance(seconds=15)
    clock.ahead = timedelta(seconds=step)
    assert ledger.allowance([row], clock())[1] == 0
    ledger.settle(row, 4, reserved_at, clock())
    assert sum(pair[1] for pair in row.quota_spent) == 10
    clock.steady.advance(seconds=14.9)
    assert ledger.allowance([row], clock())[1] == 0
    clock.steady.advance(seconds=WINDOW)
    assert ledger.allowance([row], clock()) == (None, 10)


def test_a_time_from_before_a_lock_was_waited_for_forgets_nothing_and_is_no_step() -> None:
    clock, row = SetClock(), Row()
    ledger, before = clock.ledger(), clock()
    clock.steady.advance(seconds=20)
    ledger.reserve(row, 10, clock())
    ledger.settle(row, 10, clock(), clock())
    assert ledger.allowance([row], before)[1] == 0
    clock.steady.advance(seconds=WINDOW)
    assert ledger.allowance([row], clock())[1] == 0
    clock.steady.advance(seconds=MARGIN + SLOT)
    assert ledger.allowance([row], clock()) == (None, 10)


def test_no_block_is_longer_than_the_longest() -> None:
    ledger, row = QuotaLedger(Quota(5), Metrics(CollectorRegistry())), Row()
    ledger.block(row, NOON + timedelta(days=1))
    end = NOON + LONGEST_BLOCK
    assert ledger.allowance([row], NOON) == (end, 0)
    assert ledger.allowance([row], NOON + timedelta(seconds=9)) == (end, 0)
    assert ledger.allowance([row], end) == (None, 5)


def test_a_longer_wait_that_graph_asks_for_is_over_after_the_longest_even_if_nothing_looked_earlier() -> None:
    ledger, row = QuotaLedger(Quota(5), Metrics(CollectorRegistry())), Row()
    ledger.block_if_throttled(row, [Throttled(3600)], NOON)
    assert ledger.allowance([row], NOON + LONGEST_BLOCK)[0] is None


@pytest.mark.parametrize("step", [1, 40, 342, 86_400])
def test_a_clock_that_is_set_back_while_requests_are_in_flight_forgets_nothing(step: float) -> None:
    clock, row = SetClock(), Row()
    ledger, reserved_at = clock.spent(row)
    clock.ahead = timedelta(seconds=-step)
    clock.steady.advance(seconds=0.2)
    ledger.settle(row, 4, reserved_at, clock())
    clock.steady.advance(seconds=WINDOW - 1)
    assert ledger.allowance([row], clock())[1] == 0


def test_a_clock_that_is_set_forward_before_the_first_question_forgets_nothing() -> None:
    clock, row = SetClock(), Row()
    row.quota_spent = spend([], clock(), 10)
    ledger = clock.ledger()
    clock.ahead = timedelta(seconds=40)
    clock.steady.advance(seconds=10)
    assert ledger.allowance([row], clock())[1] == 0


@pytest.mark.parametrize("step", [9, 86_400, -40])
def test_a_clock_that_is_set_while_no_process_runs_forgets_nothing(step: float) -> None:
    clock, row = SetClock(), Row()
    row.quota_spent = spend([], clock(), 10)
    clock.ahead = timedelta(seconds=step)
    clock.steady.advance(seconds=24)
    ledger = clock.ledger()
    clock.steady.advance(seconds=5)
    assert ledger.allowance([row], clock())[1] == 0
    clock.steady.advance(seconds=WINDOW + MARGIN)
    assert ledger.allowance([row], clock()) == (None, 10)


@pytest.mark.parametrize("ahead", [40, 0])
def test_a_clock_that_is_set_forward_and_back_delays_nothing_that_is_sent_after(ahead: float) -> None:
    clock, row = SetClock(), Row()
    ledger = clock.ledger()
    for step in (ahead, -20):
        clock.ahead = timedelta(seconds=step)
        assert ledger.allowance([row], clock()) == (None, 10)
    ledger.reserve(row, 10, clock())
    ledger.settle(row, 10, clock(), clock())
    clock.steady.advance(seconds=WINDOW + MARGIN)
    assert ledger.allowance([row], clock()) == (None, 10)
