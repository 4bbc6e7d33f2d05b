"""The table of queued jobs in PostgreSQL: of each job and key at most one is waiting and one set for later."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import structlog
from procrastinate import App, PsycopgConnector, sql
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager, NotificationCallback
from psycopg import AsyncConnection

from core.clock import Clock
from storage.transaction import Transaction, listed
from sync.domain.jobs import JobName
from sync.jobs.runs import SHARE, Owners
from sync.jobs.worker_locks import FIRST_LOCK, WorkerLocks

URGENT: Final = "urgent"
ORDINARY: Final = "default"
"""The lanes: each has slots of its own. A job's queue is its lane and the tenant whose job it is."""

SLOTS: Final = {URGENT: 16, ORDINARY: 16}
"""Jobs that one process runs at the same time in each lane: no other job holds up a change for Teams."""
RESERVED: Final = 4
"""The last slots of a lane are for tenants that have none: a few that take their share leave room for others."""

SCHEMA_LOCK: Final = 0xC10E
"""The advisory lock held while the tables are created."""

log = structlog.get_logger()


_OPEN_QUEUES = """ARRAY(
    SELECT DISTINCT queue_name FROM procrastinate_jobs
        WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
            AND split_part(queue_name, ':', 1) = ANY(%(queues)s::varchar[])
            AND queue_name <> ALL(%(full)s::varchar[])
)::varchar[]"""
"""The queues of the worker's lanes that have due jobs, without those of tenants that have their share."""


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


class StartedJob(NamedTuple):
    """A job that is being run. ``is_abandoned``: its worker does not hold its lock, or has no recent heartbeat."""

    id: int
    name: JobName
    worker_id: int | None
    is_abandoned: bool


def still_started(transaction: Transaction, job_ids: Iterable[int]) -> set[int]:
    """Those of these jobs that no other worker has taken over, nor does before the transaction ends."""
    return {job_id for (job_id,) in transaction.rows(_STILL_STARTED, listed(map(str, job_ids)))}


class FairJobManager(JobManager):
    """Gives a worker, which names its lanes, jobs of tenants that have less than ``SHARE`` of its slots.

    It has a worker's lock as long as the worker is registered.
    """

    fetch_query = sql.queries["fetch_job"].replace("%(queues)s::varchar[]", _OPEN_QUEUES)

    def __init__(self, connector: BaseConnector, locks: WorkerLocks) -> None:
        super().__init__(connector)
        self._locks = locks
        self._in_use: Counter[tuple[int | None, str]] = Counter()
        self._listeners: dict[NotificationCallback, Collection[str]] = {}
        self._notifications = 0

    async def register_worker(self) -> int:
        worker_id = await super().register_worker()
        await self._locks.hold(worker_id)
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        self._locks.release(worker_id)
        await super().unregister_worker(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Search again after a notification that came during the search: the worker forgets it afterwards."""
        row, seen = None, -1
        while row is None and seen != self._notifications:
            seen = self._notifications
            row = await self._fetch_row(queues, worker_id)
        if row is None:
            return None
        job = Job.from_row(row)
        if ":" in job.queue:
            self._in_use[worker_id, job.queue] += 1
        return job

    async def _fetch_row(self, queues: Iterable[str] | None, worker_id: int) -> dict[str, Any] | None:
        in_use = {queue: count for (worker, queue), count in self._in_use.items() if worker == worker_id}
        slots = sum(SLOTS[lane] for lane in queues or SLOTS)
        share = SHARE if sum(in_use.values()) < slots - RESERVED else 1
        full = [queue for queue, count in in_use.items() if count >= share]
        row = await self.connector.execute_query_one_async(
            query=self.fetch_query, queues=queues, full=full, worker_id=worker_id
        )
        return row if row["id"] is not None else None

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """As the base class; what waited for its lock or its tenant's share starts without waiting for a poll."""
        try:
            await super().finish_job(job, status, delete_job)
        finally:
            name = (job.worker_id, job.queue)
            self._in_use[name] -= 1
            if self._in_use[name] <= 0:
                del self._in_use[name]
        await self.search_again(job.queue)

    async def search_again(self, queue: str = "") -> None:
        """A job may have become free without being queued: in this queue, or in any."""
        self._notifications += 1
        lane = queue.partition(":")[0]
        for listener, lanes in self._listeners.items():
            if not lane or lane in lanes:
                await listener(channel=queue, notification={"type": "job_inserted", "job_id": 0})

    async def _notify(self, *, channel: str, notification: Notification) -> None:
        self._notifications += 1
        for listener in self._listeners:
            await listener(channel=channel, notification=notification)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen for every queue: the names of the tenants' queues are not known in advance."""
        self._listeners[on_notification] = tuple(queues or SLOTS)
        try:
            await super().listen_for_jobs(on_notification=self._notify)
        finally:
            del self._listeners[on_notification]


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
            await self._app.job_manager.defer_job_async(self._row(name, at, failures))
        except AlreadyEnqueued:
            if at is not None:
                await self._bring_forward(_timer_lock(name), at)

    async def enqueue_all(self, names: Iterable[JobName]) -> None:
        """Queue these now, in one statement: those that wait already are left out."""
        wanted = list(dict.fromkeys(names))
        await self._owners.load(key for _, key in wanted)
        waiting = await self._waiting_locks(_waiting_lock(name) for name in wanted)
        rows = [self._row(name) for name in wanted if _waiting_lock(name) not in waiting]
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
        query = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%s)"
        async with self._app.connector.pool.connection() as connection:  # type: ignore[attr-defined]
            rows = await (await connection.execute(query, [list(locks)])).fetchall()
        return {lock for (lock,) in rows}

    async def _in_database_time(self, at: datetime) -> datetime:
        """``at`` by the clock of the database, which says when a job is due: this machine's may differ."""
        wait = at - self._clock()
        row = await self._app.connector.execute_query_one_async("SELECT now() + %(wait)s AS at", wait=wait)
        due_at: datetime = row["at"]
        return due_at

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
        lane, owner = URGENT if job in self.urgent else ORDINARY, self._owners.of(key)
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
    """Create the queue's tables if they are missing; several processes may do so at the same time."""
    async with await AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
        if found is None or found[0] is None:
            app = App(connector=PsycopgConnector(conninfo=conninfo))
            await connection.execute(app.schema_manager.get_schema().encode())


def _short(owner: str) -> str:
    """A name for the tenant: PostgreSQL's channels, of which each queue has one, have 63 bytes at most."""
    return sha256(owner.encode()).hexdigest()[:24]


def _waiting_lock(name: JobName) -> str:
    return ":".join(name)


def _timer_lock(name: JobName) -> str:
    return f"{_waiting_lock(name)} later"
