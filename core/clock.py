"""The clock is passed in, so that a test can simulate a year in a second."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic

Clock = Callable[[], datetime]
"""Returns the current time in UTC, aware of its zone."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds: ``asyncio.sleep``, or in tests a function that returns immediately."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def steady_now() -> datetime:
    """A time for measuring intervals: its zero is arbitrary, and it never goes back when the clock is set."""
    return datetime.fromtimestamp(monotonic(), UTC)
