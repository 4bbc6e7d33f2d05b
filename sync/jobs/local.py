"""A job queue in this process.

It guarantees only what a queue in a database can guarantee too: of each job and key at most one is waiting and one
running, a timer never delays a job that is due now, and one tenant's jobs do not take more than their share. A job
must be idempotent, and may find nothing to do: it reads from the database what there is to do.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from core.shutdown import ShutdownDeadline
from sync.domain.jobs import JobFunction, JobName
from sync.jobs.runs import DRAIN_SECONDS, SHARE, Owners, QueueConfig, job_run, record_failure, retry_delay


class _Share(NamedTuple):
    """Jobs that are counted together: a tenant's urgent ones, or its others."""

    owner: str
    urgent: bool


class LocalJobs:
    """Jobs as tasks of this process, lost when it ends: at start, the scheduler finds again what is due."""

    works = True
    shared = None

    def __init__(self, config: QueueConfig) -> None:
        self._clock = config.clock
        self._random = config.random
        self._metrics = config.metrics
        self._tick = config.tick
        self._deadline = config.deadline or ShutdownDeadline(DRAIN_SECONDS)
        self._owners = Owners(config.find_owners)
        self._functions: dict[str, JobFunction] = {}
        self._urgent: set[str] = set()
        self._waiting: defaultdict[_Share, dict[JobName, None]] = defaultdict(dict)
        self._in_use: Counter[_Share] = Counter()
        self._running: dict[JobName, asyncio.Task[None]] = {}
        self._timers: dict[JobName, datetime] = {}
        self._next_check: datetime | None = None
        self._is_sooner = asyncio.Event()
        self._failures: dict[JobName, int] = {}
        self._open = False
        self._metrics.jobs_running.set_function(lambda: len(self._running))

    def register(self, job: str, function: JobFunction, *, urgent: bool = False) -> None:
        self._functions[job] = function
        if urgent:
            self._urgent.add(job)
        self._metrics.create_job_series(job)

    def replace(self, job: str, function: JobFunction) -> None:
        self._functions[job] = function

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        if job not in self._functions:
            raise KeyError(job)
        await self._owners.load([key])
        if at is None or at <= self._clock():
            self._start((job, key))
        else:
            self._set_timer((job, key), min(at, self._timers.get((job, key), at)))

    async def defer_all(self, names: Iterable[JobName]) -> None:
        wanted = list(names)
        await self._owners.load(key for _, key in wanted)
        for job, key in wanted:
            await self.defer(job, key)

    async def queued(self, job: str) -> set[str]:
        waiting = [name for names in self._waiting.values() for name in names]
        return {key for name, key in (*waiting, *self._timers, *self._running) if name == job}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run jobs for the length of the block; jobs deferred before it start now."""
        self._open = True
        for name in [name for names in self._waiting.values() for name in names]:
            self._start(name)
        timers = asyncio.create_task(self._run_timers())
        try:
            yield
        finally:
            self._open = False
            timers.cancel()
            await self._drain(timers)

    async def alive(self) -> bool:
        return self._open

    async def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _start(self, name: JobName) -> None:
        """Run the job now, or let it wait: for its own run to end, or for one of its tenant's."""
        share = self._share_of(name)
        if name in self._running or not self._open or (share.owner and self._in_use[share] >= SHARE):
            self._waiting[share][name] = None
            return
        self._waiting[share].pop(name, None)
        self._in_use[share] += 1
        self._running[name] = asyncio.create_task(self._run(name, share))

    def _share_of(self, name: JobName) -> "_Share":
        job, key = name
        return _Share(self._owners.of(key), job in self._urgent)

    async def _run(self, name: JobName, share: "_Share") -> None:
        job, key = name
        try:
            with job_run(job, self._metrics):
                await self._functions[job](key)
            self._failures.pop(name, None)
        except Exception as error:
            self._retry(name, error)
        finally:
            del self._running[name]
            self._in_use[share] -= 1
            self._start_waiting(share)

    def _start_waiting(self, share: "_Share") -> None:
        """Run what waited for this share, in order of arrival."""
        if self._open:
            for name in list(self._waiting[share]):
                self._start(name)
        if not self._waiting[share]:
            del self._waiting[share]
        if not self._in_use[share]:
            del self._in_use[share]

    def _retry(self, name: JobName, error: Exception) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._set_timer(name, self._clock() + retry_delay(failures, self._random))
        record_failure(self._metrics, *name, error)

    def _set_timer(self, name: JobName, at: datetime) -> None:
        self._timers[name] = at
        if self._next_check and at < self._next_check:
            self._is_sooner.set()

    async def _run_timers(self) -> None:
        before = self._clock()
        while True:
            now = self._clock()
            self._adjust_timers(before - now)
            before = now
            for name in [name for name, at in self._timers.items() if at <= now]:
                del self._timers[name]
                self._start(name)
            pause = self._pause(now)
            self._next_check = now + timedelta(seconds=pause)
            self._is_sooner.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_sooner.wait()

    def _adjust_timers(self, set_back: timedelta) -> None:
        """After the clock was set back: a job due in a minute must not wait for a day."""
        if set_back > timedelta(0):
            self._timers = {name: at - set_back for name, at in self._timers.items()}

    def _pause(self, now: datetime) -> float:
        """Seconds until the timers are checked next."""
        if not self._timers:
            return self._tick
        return max(0.001, min(self._tick, (min(self._timers.values()) - now).total_seconds()))

    async def _drain(self, timers: asyncio.Task[None]) -> None:
        """Let running jobs finish until the deadline, then cancel them."""
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._deadline.left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(timers, *tasks, return_exceptions=True)
