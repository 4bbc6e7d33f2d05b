"""Which queued job of PostgreSQL a worker runs next: urgent ones apart, of each tenant no more than its share."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager, NotificationCallback

from sync.jobs.runs import SHARE
from sync.jobs.worker_locks import WorkerLocks

URGENT: Final = "urgent"
ORDINARY: Final = "default"
"""The lanes: each has slots of its own. A job's queue is its lane and the tenant whose job it is."""

SLOTS: Final[Mapping[str, int]] = {URGENT: 16, ORDINARY: 16}
"""Jobs that one process runs at the same time in each lane: no other job holds up a change for Teams."""
RESERVED: Final = 4
"""The last slots of a lane are for tenants that have none: a few that take their share leave room for others."""

FETCH: Final = """
SELECT found.*, (
    SELECT min(GREATEST(extract(epoch FROM waiting.due_at - now()), 0)) FROM (
        SELECT lock, COALESCE(scheduled_at, now()) AS due_at FROM procrastinate_jobs
        WHERE status = 'todo' AND split_part(queue_name, ':', 1) = ANY(%(lanes)s::varchar[])
            AND queue_name <> ALL(%(full)s::varchar[])
    ) AS waiting
    WHERE CASE WHEN found.id IS NULL THEN waiting.due_at > now()
        ELSE waiting.lock IS DISTINCT FROM found.lock AND NOT EXISTS (
            SELECT 1 FROM procrastinate_jobs AS other WHERE other.lock = waiting.lock AND other.status = 'doing'
        ) END
) AS wait
FROM procrastinate_fetch_job_v2(ARRAY(
    SELECT DISTINCT queue_name FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
        AND split_part(queue_name, ':', 1) = ANY(%(lanes)s::varchar[])
        AND queue_name <> ALL(%(full)s::varchar[])
), %(worker_id)s) AS found
"""
"""In place of procrastinate's query ``fetch_job``, whose function in the database it calls: marks a job as started.

It is called for the queues that have due jobs, in the ``lanes`` with free slots, without the ``full`` ones of
tenants that have their share. ``wait`` is in how many seconds another job can be started, 0 for now; when none was
found, in how many the next timer is due.
"""

_NOTHING: Final[Mapping[str, Any]] = {"id": None, "wait": None}


class FairJobManager(JobManager):
    """Gives a worker jobs within the slots of each lane, of tenants that have less than ``SHARE`` of them.

    It has a worker's lock as long as the worker is registered. A job that was found says with it whether another
    can be started and when the next timer is due: then nothing is searched for in vain, and no timer is late.
    """

    def __init__(self, connector: BaseConnector, locks: WorkerLocks) -> None:
        super().__init__(connector)
        self._locks = locks
        self._in_use: Counter[tuple[int | None, str]] = Counter()
        self._listeners: set[NotificationCallback] = set()
        self._notifications = 0
        self._exhausted_at = -1
        self._timer: asyncio.TimerHandle | None = None
        self._search: asyncio.Task[None] | None = None

    async def register_worker(self) -> int:
        worker_id = await super().register_worker()
        await self._locks.hold(worker_id)
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        self._locks.release(worker_id)
        await super().unregister_worker(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Search again after a notification that came during the search: the worker forgets it afterwards."""
        exhausted_at, self._exhausted_at = self._exhausted_at, -1
        if exhausted_at == self._notifications:
            return None
        row, seen = _NOTHING, -1
        while row["id"] is None and seen != self._notifications:
            seen = self._notifications
            row = await self._fetch_row(worker_id)
        wait = None if row["wait"] is None else float(row["wait"])
        self._search_in(wait)
        if row["id"] is None:
            return None
        if wait != 0:
            self._exhausted_at = seen
        job = Job.from_row(dict(row))
        self._in_use[worker_id, job.queue] += 1
        return job

    async def _fetch_row(self, worker_id: int) -> Mapping[str, Any]:
        in_use = {queue: count for (worker, queue), count in self._in_use.items() if worker == worker_id}
        left = Counter(SLOTS)
        for queue, count in in_use.items():
            left[_lane_of(queue)] -= count
        lanes = [lane for lane in SLOTS if left[lane] > 0]
        if not lanes:
            return _NOTHING
        full = [
            queue
            for queue, count in in_use.items()
            if ":" in queue and count >= (SHARE if left[_lane_of(queue)] > RESERVED else 1)
        ]
        return await self.connector.execute_query_one_async(
            query=FETCH, lanes=lanes, full=full, worker_id=worker_id
        )

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """As the base class; what waited for its lock or its tenant's share starts without waiting for a poll."""
        try:
            await super().finish_job(job, status, delete_job)
        finally:
            name = (job.worker_id, job.queue)
            self._in_use[name] -= 1
            if self._in_use[name] <= 0:
                del self._in_use[name]
        await self.search_again()

    async def search_again(self) -> None:
        """A job may have become free without being queued."""
        self._notifications += 1
        for listener in list(self._listeners):
            await listener(channel="", notification={"type": "job_inserted", "job_id": 0})

    def _search_in(self, seconds: float | None) -> None:
        """Search when the next timer is due, instead of when it was due according to an earlier search."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._search_now) if seconds else None

    def _search_now(self) -> None:
        self._search = asyncio.create_task(self.search_again())

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen for every queue: the names of the tenants' queues are not known in advance."""

        async def notify(*, channel: str, notification: Notification) -> None:
            self._notifications += 1
            await on_notification(channel=channel, notification=notification)

        self._listeners.add(on_notification)
        try:
            await super().listen_for_jobs(on_notification=notify)
        finally:
            self._listeners.discard(on_notification)


def _lane_of(queue: str) -> str:
    return queue.partition(":")[0]
