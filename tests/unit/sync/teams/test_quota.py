from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sync.teams.quota import MARGIN, WINDOW, Quota, Spent, recent, spend
from tests.support.clocks import NOON


def test_what_is_spent_comes_back_after_the_window() -> None:
    quota = Quota(100)
    spent = spend([], NOON, 100)
    assert quota.left(spent, NOON) == 0
    assert quota.free_at([], NOON) == NOON
    free = quota.free_at(spent, NOON)
    assert quota.left(spent, free - timedelta(milliseconds=1)) == 0
    assert quota.left(spent, free) == 100
    assert timedelta(seconds=WINDOW) <= free - NOON <= timedelta(seconds=WINDOW + MARGIN + 1)


def test_spending_in_one_second_is_one_pair_and_old_ones_are_dropped() -> None:
    spent = spend(spend([], NOON, 3), NOON + timedelta(milliseconds=400), 4)
    assert [count for _, count in spent] == [7]
    assert len(spend(spent, NOON + timedelta(minutes=5), 1)) == 1


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40)), max_size=40), st.integers(1, 50))
def test_no_thirty_seconds_ever_hold_more_than_the_limit(steps: list[tuple[float, int]], limit: int) -> None:
    quota, spent, now = Quota(limit), Spent(), NOON
    sent: list[tuple[float, int]] = []
    for pause, wish in steps:
        now += timedelta(seconds=pause)
        allowed = min(wish, quota.left(spent, now))
        if allowed:
            spent = spend(spent, now, allowed)
            sent.append((now.timestamp(), allowed))
        assert len(recent(spent, now)) <= WINDOW + MARGIN + 2
    for start, _ in sent:
        assert sum(count for at, count in sent if start <= at < start + WINDOW) <= limit
