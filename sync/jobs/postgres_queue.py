"""The table of queued jobs in PostgreSQL: of each job and key at most one is waiting and one set for later."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from psycopg import AsyncConnection

from core.clock import Clock
from sync.domain.jobs import JobName

SCHEMA_LOCK: Final = 0xC10E
"""The advisory lock held while the tables are created."""

log = structlog.get_logger()


class PostgresQueue:
    """Adds jobs to the table of ``app``, counts those that are due, and finds those whose worker died.

    The names in ``urgent`` run before the others.
    """

    def __init__(self, app: App, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self.urgent: set[str] = set()

    async def enqueue(self, name: JobName, at: datetime | None = None, failures: int = 0) -> None:
        """Queue the job, now or at ``at``; a timer that is set already is brought forward."""
        try:
            await self._app.job_manager.defer_job_async(self._row(name, at, failures))
        except AlreadyEnqueued:
            if at is not None:
                await self._bring_forward(_timer_lock(name), at)

    async def enqueue_all(self, names: Iterable[JobName]) -> None:
        """Queue these now, in one statement: those that wait already are left out."""
        wanted = list(dict.fromkeys(names))
        waiting = await self._waiting_locks(_waiting_lock(name) for name in wanted)
        rows = [self._row(name) for name in wanted if _waiting_lock(name) not in waiting]
        try:
            if rows:
                await self._app.job_manager.batch_defer_jobs_async(rows)
        except AlreadyEnqueued:  # another process queued one of them after they were read
            for name in wanted:
                await self.enqueue(name)

    async def count_due(self) -> int | None:
        """How many jobs are due and not started; None while the database is unavailable."""
        query = (
            "SELECT count(*) AS due FROM procrastinate_jobs"
            " WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= %(now)s)"
        )
        try:
            return int((await self._app.connector.execute_query_one_async(query, now=self._clock()))["due"])
        except ConnectorException:
            return None

    async def started_by(self, worker_id: int | None) -> list[Job]:
        """The jobs that the database says this worker is running."""
        started = await self._app.job_manager.list_jobs_async(status="doing")
        return [job for job in started if job.worker_id == worker_id]

    async def stalled(self, seconds: float) -> list[Job]:
        """The started jobs of workers without a heartbeat for ``seconds``."""
        return list(await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds))

    async def requeue(self, job: Job) -> None:
        """Queue an abandoned job again, then delete its former run: a crash in between only queues it once more."""
        key = str(job.task_kwargs["key"])
        await self.enqueue((job.task_name, key))
        try:
            await self._app.job_manager.finish_job_by_id_async(job.id or 0, Status.FAILED, delete_job=True)
        except ConnectorException:
            return
        log.warning("job_taken_over", job=job.task_name, key=key)

    async def _waiting_locks(self, locks: Iterable[str]) -> set[str]:
        query = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%s)"
        async with self._app.connector.pool.connection() as connection:  # type: ignore[attr-defined]
            rows = await (await connection.execute(query, [list(locks)])).fetchall()
        return {lock for (lock,) in rows}

    async def _bring_forward(self, queueing_lock: str, at: datetime) -> None:
        await self._app.connector.execute_query_async(
            "UPDATE procrastinate_jobs SET scheduled_at = LEAST(scheduled_at, %(at)s)"
            " WHERE status = 'todo' AND queueing_lock = %(queueing_lock)s",
            at=at,
            queueing_lock=queueing_lock,
        )

    def _row(self, name: JobName, at: datetime | None = None, failures: int = 0) -> Job:
        """A job that is due has priority over timers: an older timer of the same lock would block it."""
        job, key = name
        return Job(
            id=None,
            queue="default",
            task_name=job,
            lock=f"{job}:{key}",
            queueing_lock=_waiting_lock(name) if at is None else _timer_lock(name),
            priority=2 * (job in self.urgent) + (at is None),
            task_kwargs={"key": key, "failures": failures} if failures else {"key": key},
            scheduled_at=at,
        )


async def create_tables(conninfo: str) -> None:
    """Create the queue's tables if they are missing; several processes may do so at the same time."""
    async with await AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
        if found is None or found[0] is None:
            app = App(connector=PsycopgConnector(conninfo=conninfo))
            await connection.execute(app.schema_manager.get_schema().encode())


def _waiting_lock(name: JobName) -> str:
    return ":".join(name)


def _timer_lock(name: JobName) -> str:
    return f"{_waiting_lock(name)} later"
