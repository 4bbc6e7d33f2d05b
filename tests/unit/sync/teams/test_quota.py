from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from sync.teams.quota import MARGIN, WINDOW, Quota, QuotaLedger, Spent, recent, spend
from tests.support.clocks import NOON


def test_spent_quota_is_free_again_after_the_window() -> None:
    quota = Quota(100)
    spent = spend([], NOON, 100)
    assert quota.left(spent, NOON) == 0
    assert quota.free_at([], NOON) == NOON
    free = quota.free_at(spent, NOON)
    assert quota.left(spent, free - timedelta(milliseconds=1)) == 0
    assert quota.left(spent, free) == 100
    assert timedelta(seconds=WINDOW) <= free - NOON <= timedelta(seconds=WINDOW + MARGIN + 1)


def test_one_second_is_one_pair_and_old_pairs_are_dropped() -> None:
    spent = spend(spend([], NOON, 3), NOON + timedelta(milliseconds=400), 4)
    assert [count for _, count in spent] == [7]
    assert len(spend(spent, NOON + timedelta(minutes=5), 1)) == 1


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
        assert len(recent(spent, now)) <= WINDOW + MARGIN + 2
    for start, _ in sent:
        assert sum(count for at, count in sent if start <= at < start + WINDOW) <= limit


@dataclass
class Row:
    quota_spent: Spent = field(default_factory=list)
    quota_blocked_until: datetime | None = None


def test_a_reservation_is_stored_and_counted_once_and_none_costs_nothing() -> None:
    registry, row = CollectorRegistry(), Row()
    ledger = QuotaLedger(Quota(10), Metrics(registry))
    for requests in (3, 0, 4):
        ledger.reserve(row, requests, NOON)
    assert row.quota_spent == [[int(NOON.timestamp()), 7]]
    assert ledger.allowance([row], NOON) == (None, 3)
    assert registry.get_sample_value("cloudlink_presence_quota_spent_total") == 7


def test_a_block_is_only_ever_extended() -> None:
    row, ledger = Row(), QuotaLedger(Quota(10), Metrics(CollectorRegistry()))
    for seconds in (30, 10):
        ledger.block(row, NOON + timedelta(seconds=seconds))
    assert row.quota_blocked_until == NOON + timedelta(seconds=30)
    assert ledger.allowance([row], NOON) == (row.quota_blocked_until, 0)
