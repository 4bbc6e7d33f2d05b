"""A job queue in PostgreSQL, by procrastinate: any number of processes on any number of machines share it.

A queued job outlives the process that deferred it. A worker that dies leaves started jobs behind: others run them
once its lock is free (``sync.jobs.worker_locks``). Procrastinate's own retries are not used: they would block the
same job queued in the meantime. A job that is to run again is queued again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

import structlog
from procrastinate import App, JobContext
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition

from core.logging import describe_error
from core.shutdown import SHUTDOWN_SECONDS, ShutdownDeadline
from storage.transaction import Transaction
from sync.domain.jobs import JobFunction, JobName
from sync.jobs.fair_manager import SLOTS, FairJobManager
from sync.jobs.postgres_connector import RetryingConnector
from sync.jobs.postgres_queue import PostgresQueue, StartedJob, create_tables, still_started
from sync.jobs.runs import DRAIN_SECONDS, Owners, QueueConfig, job_run, record_failure, retry_delay
from sync.jobs.worker_locks import WorkerLocks

HEARTBEAT = 2.0
"""Seconds between two heartbeats of a worker."""
STALLED_AFTER = 7.0
"""Seconds without a heartbeat after which a worker counts as dead although it holds its lock: its process hangs."""
RESCUE_INTERVAL = 0.75
"""Seconds between two searches for abandoned jobs: those that both find are taken over."""
RESTART_DELAY = 1.0
"""Seconds until a worker that ended is followed by another."""

CANCEL_AGAIN = 5.0
"""Seconds until what does not end is cancelled again: Python 3.11's ``wait_for`` may lose a cancellation."""

log = structlog.get_logger()


class PostgresJobs:
    """Queues jobs in the database at ``conninfo`` and, if it ``works``, runs them.

    Of each job and key at most one is waiting, one running, and one set for later.
    """

    def __init__(self, conninfo: str, config: QueueConfig, *, works: bool = True) -> None:
        self._conninfo = conninfo
        self._clock = config.clock
        self._random = config.random
        self._metrics = config.metrics
        self._tick = config.tick
        self._deadline = config.deadline or ShutdownDeadline(DRAIN_SECONDS)
        self.works = works
        self._app = App(connector=RetryingConnector(conninfo))
        self._locks = WorkerLocks(conninfo)
        self._manager = FairJobManager(self._app.connector, self._locks)
        self._app.job_manager = self._manager
        self._queue = PostgresQueue(self._app, config.clock, Owners(config.find_owners))
        self._functions: dict[str, JobFunction] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ids: dict[JobName, int] = {}
        self._suspects: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._metrics.jobs_running.set_function(lambda: len(self._running))

    def register(self, job: str, function: JobFunction, *, urgent: bool = False) -> None:
        async def run(context: JobContext, key: str, failures: int = 0) -> None:
            await self._run(context, (job, key), failures)

        self._app.task(name=job, pass_context=True)(run)
        self._functions[job] = function
        self._metrics.create_job_series(job)
        if urgent:
            self._queue.urgent.add(job)

    def replace(self, job: str, function: JobFunction) -> None:
        self._functions[job] = function

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        if job not in self._functions:
            raise KeyError(job)
        is_due = at is None or at <= self._clock()
        await self._queue.enqueue((job, key), None if is_due else at)

    async def defer_all(self, names: Iterable[JobName]) -> None:
        await self._queue.enqueue_all(names)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Queue jobs, and run them if this is a worker, for the length of the block."""
        await create_tables(self._conninfo)
        async with self._app.open_async(), aclosing(self._locks):
            if self.works:
                self._tasks = [asyncio.create_task(each) for each in (self._work(), self._rescue())]
            try:
                yield
            finally:
                await self._drain()

    async def alive(self) -> bool:
        try:
            return await self._app.check_connection_async() and not any(task.done() for task in self._tasks)
        except ConnectorException:
            return False

    async def waiting(self) -> int | None:
        return await self._queue.count_due()

    async def queued(self, job: str) -> set[str]:
        return await self._queue.keys_of(job)

    @property
    def shared(self) -> "PostgresJobs":
        return self

    def held(self, transaction: Transaction, job: str, keys: Iterable[str]) -> set[str]:
        ids = {self._ids[job, key]: key for key in keys if (job, key) in self._ids}
        return {ids[job_id] for job_id in still_started(transaction, ids)} if ids else set()

    def hand_over(self, transaction: Transaction, job: str, owners: Mapping[str, str]) -> None:
        self._queue.hand_over(transaction, job, owners)

    async def _drain(self) -> None:
        """Start no more jobs; let running ones finish until the deadline, then leave them to other workers."""
        self._closing = True
        worker, others = self._tasks[:1], self._tasks[1:]
        for task in worker:
            task.cancel()
            await asyncio.wait(worker, timeout=self._deadline.left)
        for task in (*self._running.values(), *others):
            task.cancel()
        while self._tasks and (await asyncio.wait(self._tasks, timeout=CANCEL_AGAIN))[1]:
            for task in self._tasks:
                task.cancel()

    async def _work(self) -> None:
        """Run jobs until the end: a worker ends that others took for dead and forgot, so start another.

        Cancelled while its database is away, procrastinate's worker raises the database's error instead.
        """
        while not self._closing:
            try:
                await self._app.run_worker_async(
                    concurrency=sum(SLOTS.values()),
                    fetch_job_polling_interval=self._tick,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=SHUTDOWN_SECONDS,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED_AFTER,
                )
            except Exception as error:
                log.warning("worker_stopped", error=describe_error(error))
            if not self._closing:
                await asyncio.sleep(RESTART_DELAY)

    async def _run(self, context: JobContext, name: JobName, failures: int) -> None:
        job, key = name
        self._ids[name] = job_id = context.job.id or 0
        if task := asyncio.current_task():
            self._running[job_id] = task
        try:
            with job_run(job, self._metrics):
                await self._functions[job](key)
        except Exception as error:
            record_failure(self._metrics, job, key, error)
            again = self._clock() + retry_delay(failures + 1, self._random)
            await self._queue.enqueue(name, again, failures + 1)
        finally:
            self._running.pop(job_id, None)
            if self._ids.get(name) == job_id:
                del self._ids[name]

    async def _rescue(self) -> None:
        """Take over, until the end, jobs whose worker died or that ended here without being done.

        Procrastinate's worker sends no heartbeat any more while it waits for its last jobs.
        """
        while True:
            await asyncio.sleep(RESCUE_INTERVAL)
            try:
                await self._locks.keep()
                for worker_id in list(self._locks.worker_ids):
                    await self._manager.update_heartbeat(worker_id)
                for job in await self._abandoned():
                    await self._queue.requeue(job)
                    await self._manager.search_again()
            except Exception as error:
                log.warning("rescue_postponed", error=describe_error(error))

    async def _abandoned(self) -> list[StartedJob]:
        """What two consecutive searches found abandoned, or started by this process but not running in it.

        One search is not enough: a worker that lost its connection, and one that has just begun a job, are alive.
        """
        lost = {job.id: job for job in await self._queue.started(STALLED_AFTER) if self._is_lost(job)}
        confirmed = lost.keys() & self._suspects
        self._suspects = set(lost)
        return [lost[job_id] for job_id in confirmed]

    def _is_lost(self, job: StartedJob) -> bool:
        has_ended = job.worker_id in self._locks.worker_ids and job.id not in self._running
        return (job.is_abandoned or has_ended) and job.name[0] in self._functions
