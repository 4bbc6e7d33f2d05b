"""The clock is passed in, so that a test can simulate a year in a second."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time in UTC, aware of its zone."""


def utc_now() -> datetime:
    return datetime.now(UTC)
