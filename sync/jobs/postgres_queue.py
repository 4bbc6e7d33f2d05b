"""The table of queued jobs in PostgreSQL: of each job and key at most one is waiting and one set for later."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, LiteralString, NamedTuple

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from psycopg import AsyncConnection

from core.clock import Clock
from storage.transaction import Transaction, listed
from sync.domain.jobs import JobName
from sync.jobs.fair_manager import ORDINARY, URGENT
from sync.jobs.runs import Owners
from sync.jobs.worker_locks import FIRST_LOCK

SCHEMA_LOCK: Final = 0xC10E
"""The advisory lock held while the tables are created."""

INDEXES: Final[Mapping[LiteralString, LiteralString]] = {
    "cloudlink_jobs_waiting_lock": "(lock) WHERE status = 'todo'",
    "cloudlink_jobs_due_at": "(scheduled_at) WHERE status = 'todo'",
}
"""Of our own, on the table of jobs: a search (``sync.jobs.fair_manager``) reads by them those due, no timers."""

log = structlog.get_logger()


_STARTED = """
SELECT job.id, job.task_name, job.args ->> 'key' AS key, job.worker_id,
    worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => %(seconds)s)
        OR pg_try_advisory_xact_lock_shared(%(first_lock)s + worker.id) AS is_abandoned
FROM procrastinate_jobs AS job LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.status = 'doing'
"""

_STILL_STARTED = """
SELECT id FROM procrastinate_jobs
WHERE id IN (SELECT CAST(each.0 AS bigint) FROM each(?)) AND status = 'doing' FOR KEY SHARE
"""


_HAND_OVER = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

_BRING_FORWARD = """
WITH brought AS (
    UPDATE procrastinate_jobs SET scheduled_at = %(at)s
        WHERE status = 'todo' AND queueing_lock = %(queueing_lock)s AND scheduled_at > %(at)s RETURNING id
)
SELECT pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text)
    FROM brought
"""
"""The notification is that of procrastinate's own trigger for a job that is added."""


class StartedJob(NamedTuple):
    """A job that is being run. ``is_abandoned``: its worker does not hold its lock, or has no recent heartbeat."""

    id: int
    name: JobName
    worker_id: int | None
    is_abandoned: bool


def still_started(transaction: Transaction, job_ids: Iterable[int]) -> set[int]:
    """Those of these jobs that no other worker has taken over, nor does before the transaction ends."""
    return {job_id for (job_id,) in transaction.rows(_STILL_STARTED, listed(map(str, job_ids)))}


class PostgresQueue:
    """Adds jobs to the table of ``app``, counts those that are due, and finds those whose worker died.

    The names in ``urgent`` have slots of their own. ``owners`` says which tenant's share a job counts against.
    """

    def __init__(self, app: App, clock: Clock, owners: Owners) -> None:
        self._app = app
        self._clock = clock
        self._owners = owners
        self.urgent: set[str] = set()

    async def enqueue(self, name: JobName, at: datetime | None = None, failures: int = 0) -> None:
        """Queue the job, now or at ``at``; a timer that is set already is brought forward."""
        await self._owners.load([name[1]])
        if at is not None:
            at = await self._in_database_time(at)
        try:
            await self._app.job_manager.defer_job_async(self._row(name, self._owners.of(name[1]), at, failures))
        except AlreadyEnqueued:
            if at is not None:
                await self._bring_forward(_timer_lock(name), at)

    def hand_over(self, transaction: Transaction, job: str, owners: Mapping[str, str]) -> None:
        """Queue the job for each key, whose tenant is given with it; what waits already is left out. Blocking."""
        rows = [self._row((job, key), owner) for key, owner in sorted(owners.items())]
        transaction.write(
            _HAND_OVER,
            [(row.queue, job, row.priority, row.lock, row.queueing_lock, row.task_kwargs) for row in rows],
        )

    async def enqueue_all(self, names: Iterable[JobName]) -> None:
        """Queue these now, in one statement: those that wait already are left out."""
        wanted = list(dict.fromkeys(names))
        await self._owners.load(key for _, key in wanted)
        waiting = await self._waiting_locks(_waiting_lock(name) for name in wanted)
        rows = [self._row(name, self._owners.of(name[1])) for name in wanted if _waiting_lock(name) not in waiting]
        try:
            if rows:
                await self._app.job_manager.batch_defer_jobs_async(rows)
        except AlreadyEnqueued:  # another process queued one of them after they were read
            for name in wanted:
                await self.enqueue(name)

    async def keys_of(self, job: str) -> set[str]:
        """The keys for which the job is queued or being run."""
        query = "SELECT args ->> 'key' AS key FROM procrastinate_jobs WHERE task_name = %(job)s"
        rows = await self._app.connector.execute_query_all_async(query, job=job)
        return {row["key"] for row in rows}

    async def count_due(self) -> int | None:
        """How many jobs are due and not started; None while the database is unavailable."""
        query = (
            "SELECT count(*) AS due FROM procrastinate_jobs"
            " WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())"
        )
        try:
            return int((await self._app.connector.execute_query_one_async(query))["due"])
        except ConnectorException:
            return None

    async def started(self, stalled_after: float) -> list[StartedJob]:
        """The jobs that are being run. ``stalled_after`` is in seconds since a worker's heartbeat."""
        rows = await self._app.connector.execute_query_all_async(
            _STARTED, seconds=stalled_after, first_lock=FIRST_LOCK
        )
        return [
            StartedJob(row["id"], (row["task_name"], row["key"]), row["worker_id"], row["is_abandoned"])
            for row in rows
        ]

    async def requeue(self, job: StartedJob) -> None:
        """Queue an abandoned job again, then delete its former run: a crash in between only queues it once more."""
        await self.enqueue(job.name)
        try:
            await self._app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
        except ConnectorException:
            return
        name, key = job.name
        log.warning("job_taken_over", job=name, key=key)

    async def _waiting_locks(self, locks: Iterable[str]) -> set[str]:
        query = (
            "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%(locks)s)"
        )
        rows = await self._app.connector.execute_query_all_async(query, locks=list(locks))
        return {row["queueing_lock"] for row in rows}

    async def _in_database_time(self, at: datetime) -> datetime:
        """``at`` by the clock of the database, which says when a job is due: this machine's may differ."""
        wait = at - self._clock()
        row = await self._app.connector.execute_query_one_async("SELECT now() + %(wait)s AS at", wait=wait)
        due_at: datetime = row["at"]
        return due_at

    async def _bring_forward(self, queueing_lock: str, at: datetime) -> None:
        """Set the timer earlier if it is later, and have the workers notice."""
        await self._app.connector.execute_query_async(_BRING_FORWARD, at=at, queueing_lock=queueing_lock)

    def _row(self, name: JobName, owner: str, at: datetime | None = None, failures: int = 0) -> Job:
        """A job that is due has priority over timers: an older timer of the same lock would block it."""
        job, key = name
        lane = URGENT if job in self.urgent else ORDINARY
        return Job(
            id=None,
            queue=f"{lane}:{_short(owner)}" if owner else lane,
            task_name=job,
            lock=f"{job}:{key}",
            queueing_lock=_waiting_lock(name) if at is None else _timer_lock(name),
            priority=2 * (lane == URGENT) + (at is None),
            task_kwargs={"key": key, "failures": failures} if failures else {"key": key},
            scheduled_at=at,
        )


async def create_tables(conninfo: str) -> None:
    """Create the queue's tables if they are missing; several processes may do so at the same time.

    An index is not created again even if that would do nothing: it would wait for all who write to the table.
    """
    async with await AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        if not await _exists(connection, "procrastinate_jobs"):
            app = App(connector=PsycopgConnector(conninfo=conninfo))
            await connection.execute(app.schema_manager.get_schema().encode())
        for name, columns in INDEXES.items():
            if not await _exists(connection, name):
                await connection.execute(f"CREATE INDEX {name} ON procrastinate_jobs {columns}")


async def _exists(connection: AsyncConnection, name: str) -> bool:
    found = await (await connection.execute("SELECT to_regclass(%s)", [name])).fetchone()
    return found is not None and found[0] is not None


def _short(owner: str) -> str:
    """A name for the tenant: PostgreSQL's channels, of which each queue has one, have 63 bytes at most."""
    return sha256(owner.encode()).hexdigest()[:24]


def _waiting_lock(name: JobName) -> str:
    return ":".join(name)


def _timer_lock(name: JobName) -> str:
    return f"{_waiting_lock(name)} later"
