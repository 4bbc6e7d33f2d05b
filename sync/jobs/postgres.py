"""Jobs in PostgreSQL, by procrastinate: any number of processes on any number of machines defer and do them.

Deferred work outlives whoever deferred it. A worker that dies leaves its jobs begun: as soon as its heartbeat is
old, another takes them. Nothing is left to procrastinate's own retries, which would stand in the way of the same
job queued meanwhile: what is to be done again is deferred again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random

import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from psycopg import AsyncConnection

from core.clock import Clock
from core.logging import describe_error
from core.metrics import Metrics
from core.shutdown import SHUTDOWN_SECONDS, ShutdownDeadline
from sync.domain.jobs import NOTIFY, PUSH, SCHEDULE, WARN, JobFunction
from sync.jobs.local import PATIENCE, delay_after, tell_failure
from sync.jobs.runs import run_of

HEARTBEAT = 2.0
"""Seconds between two signs of life of a worker."""
STALLED = 7.0
"""Seconds without a sign of life after which a worker counts as dead."""
RESCUE = 2.0
"""Seconds between two looks for jobs that nobody does any more. With the two above: taken over within 15 s."""
RESTART = 1.0
"""Seconds until a worker whose database went away tries again."""

AT_ONCE = 16
"""Jobs that one process does side by side."""
CONNECTIONS = 6

URGENT = frozenset({PUSH, SCHEDULE, WARN, NOTIFY})
"""Jobs that go before others: state changes, warnings, and the sweep that finds what is due."""

ONE_AT_A_TIME = 0xC10E
"""The number of the lock that the server keeps for whoever makes the queue's tables."""

log = structlog.get_logger()

Name = tuple[str, str]


class QueuedJobs:
    """Defers jobs to the queue in the database at ``conninfo`` and, if it ``works``, does them.

    Of each job and key at most one waits, one runs, and one is set for later; ``tick`` is how often, in seconds,
    it is looked whether the last is due. ``deadline`` is what running jobs get to finish when the queue closes.
    """

    def __init__(
        self,
        conninfo: str,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        tick: float = 1.0,
        *,
        works: bool = True,
        deadline: ShutdownDeadline | None = None,
    ) -> None:
        self._conninfo = conninfo
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._tick = tick
        self._deadline = deadline or ShutdownDeadline(PATIENCE)
        self.works = works
        self._app = App(
            connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=CONNECTIONS, timeout=PATIENCE)
        )
        self._functions: dict[str, JobFunction] = {}
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._suspects: set[int] = set()
        self._worker_id: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        metrics.jobs_running.set_function(lambda: len(self._at_work))

    def register(self, job: str, function: JobFunction) -> None:
        if job not in self._functions:

            async def run(context: JobContext, key: str, failures: int = 0) -> None:
                await self._run(context, job, key, failures)

            self._app.task(name=job, pass_context=True)(run)
        self._functions[job] = function

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        if job not in self._functions:
            raise KeyError(job)
        if at is None or at <= self._clock():
            await self._put(job, key, None)
        else:
            await self._put(job, key, at)

    async def defer_all(self, names: Iterable[Name]) -> None:
        """In one statement; those that wait already are left out, and found again if they began meanwhile."""
        wanted = dict.fromkeys(names)
        async with self._app.connector.pool.connection() as connection:  # type: ignore[attr-defined]
            locks = [_waiting(job, key) for job, key in wanted]
            query = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%s)"
            rows = await (await connection.execute(query, [locks])).fetchall()
        there = {lock for (lock,) in rows}
        news = [_job(job, key, None) for job, key in wanted if _waiting(job, key) not in there]
        try:
            if news:
                await self._app.job_manager.batch_defer_jobs_async(news)
        except AlreadyEnqueued:
            for job, key in wanted:
                await self._put(job, key, None)

    async def _put(self, job: str, key: str, at: datetime | None, failures: int = 0) -> None:
        try:
            await self._app.job_manager.defer_job_async(_job(job, key, at, failures))
        except AlreadyEnqueued:
            if at is not None:
                await self._bring_forward(_later(job, key), at)

    async def _bring_forward(self, queueing_lock: str, at: datetime) -> None:
        await self._app.connector.execute_query_async(
            "UPDATE procrastinate_jobs SET scheduled_at = LEAST(scheduled_at, %(at)s)"
            " WHERE status = 'todo' AND queueing_lock = %(queueing_lock)s",
            at=at,
            queueing_lock=queueing_lock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Defer, and do jobs if this is a worker, for the length of the block."""
        await make_tables(self._conninfo)
        async with self._app.open_async():
            if self.works:
                self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._rescue())]
            try:
                yield
            finally:
                await self._wind_up()

    async def _wind_up(self) -> None:
        """No job begins any more; those under way are waited for a while, then put back."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._deadline.left)
        for job in self._at_work.values():
            job.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def alive(self) -> bool:
        try:
            return await self._app.check_connection_async() and not any(task.done() for task in self._tasks)
        except ConnectorException:
            return False

    async def waiting(self) -> int | None:
        query = (
            "SELECT count(*) AS due FROM procrastinate_jobs"
            " WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= %(now)s)"
        )
        try:
            return int((await self._app.connector.execute_query_one_async(query, now=self._clock()))["due"])
        except ConnectorException:
            return None

    async def _work(self) -> None:
        """Do jobs until the end: a worker ends when its database goes away, and the next one begins.

        Told to end while its database is away, procrastinate's worker tells of the database alone.
        """
        while not self._closing:
            try:
                await self._app.run_worker_async(
                    concurrency=AT_ONCE,
                    fetch_job_polling_interval=self._tick,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=SHUTDOWN_SECONDS,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                )
            except Exception as error:
                log.warning("worker_stopped", error=describe_error(error))
            if not self._closing:
                await asyncio.sleep(RESTART)

    async def _run(self, context: JobContext, job: str, key: str, failures: int) -> None:
        job_id = context.job.id or 0
        self._worker_id = context.job.worker_id
        if task := asyncio.current_task():
            self._at_work[job_id] = task
        try:
            with run_of(job, self._metrics):
                await self._functions[job](key)
        except asyncio.CancelledError:
            await self._put(job, key, None)
            raise
        except Exception as error:
            tell_failure(self._metrics, job, key, error)
            await self._put(job, key, self._clock() + delay_after(failures + 1, self._random), failures + 1)
        finally:
            self._at_work.pop(job_id, None)

    async def _rescue(self) -> None:
        """Look until the end for jobs whose worker died, or that ended here unknown to the database."""
        while not self._closing:
            await asyncio.sleep(RESCUE)
            try:
                for job in await self._abandoned():
                    await self._take_over(job)
            except ConnectorException as error:
                log.warning("rescue_put_off", error=describe_error(error))

    async def _abandoned(self) -> list[Job]:
        manager = self._app.job_manager
        stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED))
        begun = [job for job in await manager.list_jobs_async(status="doing") if job.worker_id == self._worker_id]
        lost = {job.id for job in begun if job.id} - self._at_work.keys()
        twice = lost & self._suspects
        self._suspects = lost
        return stalled + [job for job in begun if job.id in twice]

    async def _take_over(self, job: Job) -> None:
        """Queue it anew, then drop what was begun: dying in between, it is only queued once more."""
        await self._put(job.task_name, str(job.task_kwargs["key"]), None)
        try:
            await self._app.job_manager.finish_job_by_id_async(job.id or 0, Status.FAILED, delete_job=True)
        except ConnectorException:
            return
        log.warning("job_taken_over", job=job.task_name, key=str(job.task_kwargs["key"]))


async def make_tables(conninfo: str) -> None:
    """The queue's own tables, if they are not there; several processes that start at once make them once."""
    async with await AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        there = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
        if there is None or there[0] is None:
            app = App(connector=PsycopgConnector(conninfo=conninfo))
            await connection.execute(app.schema_manager.get_schema().encode())


def _job(job: str, key: str, at: datetime | None, failures: int = 0) -> Job:
    """Work that is due goes before timers: else an older timer of the same lock, not due yet, would block it."""
    return Job(
        id=None,
        queue="default",
        task_name=job,
        lock=f"{job}:{key}",
        queueing_lock=_waiting(job, key) if at is None else _later(job, key),
        priority=2 * (job in URGENT) + (at is None),
        task_kwargs={"key": key, "failures": failures} if failures else {"key": key},
        scheduled_at=at,
    )


def _waiting(job: str, key: str) -> str:
    return f"{job}:{key}"


def _later(job: str, key: str) -> str:
    return f"{job}:{key} later"
