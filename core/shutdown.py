"""How long what is in flight may still take once the process was told to stop: one measure for all of it."""

from collections.abc import Callable
from time import monotonic

SHUTDOWN_SECONDS = 8.0
"""Docker kills after ten seconds what it told to stop; the rest is for closing what is open."""


class ShutdownDeadline:
    """Begins once; each part of the program, as it closes, waits for no longer than is ``left``."""

    def __init__(self, seconds: float = SHUTDOWN_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        if self._until is None:
            self._until = self._clock() + self._seconds

    @property
    def left(self) -> float:
        """Seconds; all of them while nobody has said stop."""
        return self._seconds if self._until is None else max(0.0, self._until - self._clock())
