"""Teams' limits for one conversation."""

from datetime import timedelta

from bot.hosting.rate_limit import RateLimit
from tests.support.bot.hosting import SleepingClock
from tests.support.bot.rate_limits import assert_within_limits


def test_the_limits_hold_for_an_hour() -> None:
    clock = SleepingClock()
    rate_limit = RateLimit(clock)
    started, times = clock(), list[float]()
    for _ in range(2_000):
        wait = rate_limit.reserve("a", timedelta(hours=2))
        assert wait is not None
        clock.now += wait
        times.append((clock() - started).total_seconds())
    assert_within_limits(times)
    assert times[1_799] < 3_600 < times[1_800] < 3_601


def test_times_reserved_ahead_respect_the_limits_too() -> None:
    rate_limit = RateLimit(SleepingClock())
    waits = [rate_limit.reserve("a", timedelta(minutes=5)) for _ in range(100)]
    assert_within_limits([wait.total_seconds() for wait in waits if wait is not None])
    assert None not in waits


def test_nothing_is_reserved_beyond_the_maximum_wait() -> None:
    clock = SleepingClock()
    rate_limit = RateLimit(clock)
    for _ in range(7):
        assert rate_limit.reserve("a", timedelta(0)) == timedelta(0)
    assert rate_limit.reserve("a", timedelta(0)) is None
    clock.advance(seconds=3)
    assert rate_limit.reserve("a", timedelta(0)) == timedelta(0)


def test_idle_conversations_are_forgotten() -> None:
    clock = SleepingClock()
    rate_limit = RateLimit(clock)
    for number in range(100):
        rate_limit.reserve(str(number), timedelta(0))
    clock.advance(hours=1)
    rate_limit.reserve("new", timedelta(0))
    assert list(rate_limit._reserved) == ["new"]
