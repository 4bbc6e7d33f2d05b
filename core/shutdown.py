"""The shutdown deadline: how long work in flight may take after the process received the signal to stop."""

from collections.abc import Callable
from time import monotonic

SHUTDOWN_SECONDS = 8.0
"""Docker kills a process ten seconds after the signal; the rest of that time is for closing connections."""


class ShutdownDeadline:
    """Starts once; each part of the program, as it closes, waits no longer than ``left``."""

    def __init__(self, seconds: float = SHUTDOWN_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        if self._until is None:
            self._until = self._clock() + self._seconds

    @property
    def left(self) -> float:
        """In seconds; the full time until ``begin`` is called."""
        return self._seconds if self._until is None else max(0.0, self._until - self._clock())
