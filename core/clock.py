"""Time is passed in, so that tests can live through a year in a second."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Tells the time now, in UTC, aware of its zone."""


def utc_now() -> datetime:
    return datetime.now(UTC)
