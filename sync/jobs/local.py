"""Work done by and by, outside the request that asked for it.

``Jobs`` is the seam. Its promises are those that a queue in a database can keep too: at most one waiting and
one running for each job and key; a timer never stands in the way of work that is due now. A job must bear to
be run twice and to be run for nothing: it reads from the store what there is to do.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random

import structlog

from core.clock import Clock
from core.logging import describe_error, where
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline
from sync.domain.jobs import JobFunction
from sync.jobs.runs import run_of

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
PATIENCE = 3.0
"""Seconds that running jobs get to finish when the queue closes, where nobody says otherwise."""

log = structlog.get_logger()


def delay_after(failures: int, random: Random) -> timedelta:
    """How long a job that failed so many times in a row is left alone."""
    return timedelta(seconds=min(LAST_RETRY, FIRST_RETRY * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5))


def tell_failure(metrics: Metrics, job: str, key: str, error: Exception) -> None:
    """Count and log it, without the exception's text, which may hold what belongs to no log."""
    metrics.retries.labels(task=job).inc()
    log.error("job_failed", job=job, key=key, error=describe_error(error), where=where(error.__traceback__))


class LocalJobs:
    """Jobs as tasks of this process. Lost with it: at start, the store says what is to be done.

    ``tick`` is how often, in seconds, the clock is looked at, for it may be set or a machine may sleep.
    ``deadline`` is what running jobs get to finish when the queue closes.
    """

    works = True

    def __init__(
        self,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        tick: float = 1.0,
        deadline: ShutdownDeadline | None = None,
    ) -> None:
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._tick = tick
        self._deadline = deadline or ShutdownDeadline(PATIENCE)
        self._functions: dict[str, JobFunction] = {}
        self._waiting: set[tuple[str, str]] = set()
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._timers: dict[tuple[str, str], datetime] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._open = False
        metrics.jobs_running.set_function(lambda: len(self._running))

    def register(self, job: str, function: JobFunction) -> None:
        self._functions[job] = function
        self._metrics.begin_task(job)

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        if job not in self._functions:
            raise KeyError(job)
        if at is None or at <= self._clock():
            self._start((job, key))
        else:
            self._timers[job, key] = min(at, self._timers.get((job, key), at))

    async def defer_all(self, names: Iterable[tuple[str, str]]) -> None:
        for job, key in names:
            await self.defer(job, key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for the length of the block; jobs deferred before it start now."""
        self._open = True
        for name in sorted(self._waiting):
            self._start(name)
        clockwork = asyncio.create_task(self._watch_timers())
        try:
            yield
        finally:
            self._open = False
            clockwork.cancel()
            await self._wind_up(clockwork)

    async def alive(self) -> bool:
        return self._open

    async def waiting(self) -> int:
        return len(self._waiting)

    def _start(self, name: tuple[str, str]) -> None:
        if name in self._running or not self._open:
            self._waiting.add(name)
            return
        self._waiting.discard(name)
        self._running[name] = asyncio.create_task(self._run(name))

    async def _run(self, name: tuple[str, str]) -> None:
        job, key = name
        try:
            with run_of(job, self._metrics):
                await self._functions[job](key)
            self._failures.pop(name, None)
        except Exception as error:
            self._retry(name, error)
        finally:
            del self._running[name]
            if name in self._waiting and self._open:
                self._start(name)

    def _retry(self, name: tuple[str, str], error: Exception) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._timers[name] = self._clock() + delay_after(failures, self._random)
        tell_failure(self._metrics, *name, error)

    async def _watch_timers(self) -> None:
        before = self._clock()
        while True:
            now = self._clock()
            self._put_forward(before - now)
            before = now
            for name in [name for name, at in self._timers.items() if at <= now]:
                del self._timers[name]
                self._start(name)
            await asyncio.sleep(self._pause(now))

    def _put_forward(self, back: timedelta) -> None:
        """The clock was set back by so much: what was to be done in a minute is not to wait for a day."""
        if back > timedelta(0):
            self._timers = {name: at - back for name, at in self._timers.items()}

    def _pause(self, now: datetime) -> float:
        if not self._timers:
            return self._tick
        return max(0.001, min(self._tick, (min(self._timers.values()) - now).total_seconds()))

    async def _wind_up(self, clockwork: asyncio.Task[None]) -> None:
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._deadline.left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(clockwork, *tasks, return_exceptions=True)
