"""The clock is passed in, so that a test can simulate a year in a second."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time in UTC, aware of its zone."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds: ``asyncio.sleep``, or in tests a function that returns immediately."""


def utc_now() -> datetime:
    return datetime.now(UTC)
