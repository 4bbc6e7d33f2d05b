"""Time that jumps to what happens next, and an event loop that lives in it."""

import asyncio
import heapq
import selectors
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

MAX_TURNS = 20_000
"""Turns of a loop within a second of virtual time: more are no work but a mistake."""

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CLOCKS_CHANGE = (datetime(2026, 11, 1, 8, 59, tzinfo=UTC), datetime(2026, 3, 8, 8, 59, tzinfo=UTC))
"""A minute later clocks of Los Angeles are set back from 2:00 to 1:00, and those of Denver from 2:00 to 3:00."""


class VirtualTime:
    """The true time, in seconds since the morning, and what the surroundings do in it, in order."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.woke_at = 0.0
        self.morning = MORNING
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        return self.morning + timedelta(seconds=self.seconds)

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Have ``act`` run then, whether or not the product runs."""
        heapq.heappush(self._agenda, (self.seconds + max(0.0, seconds), next(self._numbers), act))

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: when it wakes, much is overdue."""
        self.seconds += seconds
        self.woke_at = self.seconds

    def advance(self, limit: float | None) -> None:
        """Move to the next thing on the agenda and do it; at most by ``limit`` seconds."""
        until = None if limit is None else self.seconds + limit
        if self._agenda and (until is None or self._agenda[0][0] <= until):
            at, _, act = heapq.heappop(self._agenda)
            self.seconds = max(self.seconds, at)
            act()
        elif until is None:
            raise RuntimeError("nothing will ever happen again")
        else:
            self.seconds = until


class Stuck(Exception):
    """A process runs and runs, and time stands still."""


class VirtualSelector(selectors.SelectSelector):
    """Waits for no socket: where a loop would sleep, time jumps."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self._turns = Counter[int]()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        second = int(self._time.seconds)
        self._turns[second] += 1
        if self._turns[second] > MAX_TURNS:
            raise Stuck
        if timeout is None or timeout > 0:
            self._time.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A process's event loop in virtual time. It has no sockets and starts no threads."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(VirtualSelector(time))
        self._virtual_time = time

    def time(self) -> float:
        return self._virtual_time.seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """A thread's work is done immediately; its result arrives with the next turn."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future
