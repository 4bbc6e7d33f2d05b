"""The channel's limits, as a check on the times of messages."""

from bot.hosting.rate_limit import LIMITS


def assert_within_limits(times: list[float]) -> None:
    """``times`` are seconds, in order."""
    for count, seconds in LIMITS:
        assert all(later - earlier > seconds for earlier, later in zip(times, times[count:], strict=False))
