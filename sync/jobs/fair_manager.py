"""Which queued job of PostgreSQL a worker runs next: urgent ones apart, of each tenant no more than its share."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from procrastinate.connector import BaseConnector
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager, NotificationCallback

from sync.jobs.postgres_connector import despite_outages
from sync.jobs.runs import SHARE
from sync.jobs.worker_locks import WorkerLocks

URGENT: Final = "urgent"
ORDINARY: Final = "default"
"""The lanes: each has slots of its own. A job's queue is its lane and the tenant whose job it is."""

SLOTS: Final[Mapping[str, int]] = {URGENT: 64, ORDINARY: 16}
"""Jobs that one process runs at the same time in each lane: no other job holds up a change for Teams."""
SEARCH_PACE: Final = 0.03
"""Seconds between two searches: what becomes due or free meanwhile is started together."""
LISTEN_AGAIN: Final = 1.0
"""Seconds until the database is listened to again when it did not answer."""
RESERVED: Final = 4
"""The last slots of a lane are for tenants that have none: a few that take their share leave room for others."""

FETCH: Final = """
WITH free AS (
    SELECT id, queue_name, priority, split_part(queue_name, ':', 1) AS lane FROM procrastinate_jobs AS job
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
        AND split_part(queue_name, ':', 1) = ANY(%(lanes)s::varchar[]) AND queue_name <> ALL(%(full)s::varchar[])
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND other.status = 'doing'
        ) AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND other.status = 'todo'
                AND (other.priority, job.id) > (job.priority, other.id)
        )
    ORDER BY priority DESC, id LIMIT 200
), each AS (
    SELECT DISTINCT ON (queue_name) id, lane, priority FROM free ORDER BY queue_name, priority DESC, id
), placed AS (
    SELECT id, lane, row_number() OVER (PARTITION BY lane ORDER BY priority DESC, id) AS place FROM each
), taken AS (
    SELECT job.id FROM procrastinate_jobs AS job JOIN placed USING (id)
        JOIN unnest(%(lanes)s::varchar[], %(room)s::int[]) AS has (lane, room) USING (lane)
    WHERE place <= room AND job.status = 'todo' FOR UPDATE OF job SKIP LOCKED
), started AS (
    UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker_id)s
    FROM taken WHERE job.id = taken.id RETURNING job.*
)
SELECT started.*, EXISTS (
    SELECT FROM procrastinate_jobs WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
        AND id NOT IN (SELECT id FROM started)
) AS left_over, (
    SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs
    WHERE status = 'todo' AND scheduled_at > now() ORDER BY scheduled_at LIMIT 1
) AS wait
FROM (VALUES (1)) AS always LEFT JOIN started ON true ORDER BY started.priority DESC, started.id
"""
"""In place of procrastinate's query ``fetch_job``: marks jobs as started, at most one of each queue.

That is one in the ``lanes``, of each as many as it has ``room`` for, without the ``full`` queues of tenants that
have their share. As there, none is started whose lock another has that is running, has a higher priority or was
queued before. ``left_over`` says whether others are due; ``wait`` is in how many seconds the next timer is. When
nothing is started, the one row has no ``id``.
"""

FINISH: Final = "DELETE FROM procrastinate_jobs WHERE id = ANY(%(ids)s) AND status = 'doing'"

_NONE: Final[Mapping[str, Any]] = {"id": None, "left_over": True, "wait": None}


class FairJobManager(JobManager):
    """Gives a worker jobs within the slots of each lane, of tenants that have less than ``SHARE`` of them.

    It has a worker's lock as long as the worker is registered. Jobs are started several at a time, and those that
    end together are deleted together. What is known of jobs that were not started says when to search again: then
    nothing is searched for in vain, and no timer is late. A database that does not answer for a while does not end
    the worker, which would end what it runs.
    """

    def __init__(self, connector: BaseConnector, locks: WorkerLocks) -> None:
        super().__init__(connector)
        self._locks = locks
        self._in_use: Counter[tuple[int | None, str]] = Counter()
        self._started: deque[Job] = deque()
        self._has_left_over = False
        self._ended: set[int | None] = set()
        self._deleting = asyncio.Lock()
        self._listeners: set[NotificationCallback] = set()
        self._notifications = 0
        self._exhausted_at = -1
        self._search_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._search: asyncio.Task[None] | None = None

    async def register_worker(self) -> int:
        """What a former worker had started and not run is taken over like its other jobs."""
        worker_id = await super().register_worker()
        self._started.clear()
        await self._locks.hold(worker_id)
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        self._locks.release(worker_id)
        await super().unregister_worker(worker_id)

    async def update_heartbeat(self, worker_id: int) -> None:
        with despite_outages():
            await super().update_heartbeat(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        if not self._started:
            exhausted_at, self._exhausted_at = self._exhausted_at, -1
            if exhausted_at != self._notifications:
                await self._start_jobs(worker_id)
        return self._started.popleft() if self._started else None

    async def _start_jobs(self, worker_id: int) -> None:
        """Search again after a notification that came during the search: the worker forgets it afterwards."""
        seen = -1
        await asyncio.sleep(self._search_at - asyncio.get_running_loop().time())
        while not self._started and seen != self._notifications:
            seen = self._notifications
            rows = await self._fetch_rows(worker_id)
            self._started.extend(Job.from_row(dict(row)) for row in rows if row["id"] is not None)
        self._in_use.update((worker_id, job.queue) for job in self._started)
        self._has_left_over = rows[0]["left_over"]
        self._search_at = asyncio.get_running_loop().time() + SEARCH_PACE
        wait = rows[0]["wait"]
        self._search_in(None if wait is None else float(wait))
        if self._started and not self._has_left_over:
            self._exhausted_at = seen

    async def _fetch_rows(self, worker_id: int) -> Sequence[Mapping[str, Any]]:
        in_use = {queue: count for (worker, queue), count in self._in_use.items() if worker == worker_id}
        left = Counter(SLOTS)
        for queue, count in in_use.items():
            left[_lane_of(queue)] -= count
        room = {lane: left[lane] if left[lane] <= RESERVED else left[lane] - RESERVED for lane in SLOTS}
        lanes = [lane for lane in SLOTS if room[lane] > 0]
        if not lanes:
            return [_NONE]
        full = [
            queue
            for queue, count in in_use.items()
            if ":" in queue and count >= (SHARE if left[_lane_of(queue)] > RESERVED else 1)
        ]
        free = [room[lane] for lane in lanes]
        try:
            with despite_outages():
                return await self.connector.execute_query_all_async(
                    query=FETCH, lanes=lanes, room=free, full=full, worker_id=worker_id
                )
        except UniqueViolation:  # another process has just started one with the same lock
            self._notifications += 1
        return [_NONE]

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Delete the job; what waited for its lock or its tenant's share starts without waiting for a poll.

        One that was cancelled, is unknown here or could not be queued again is kept: it is taken over.
        """
        try:
            if status is Status.SUCCEEDED:
                await self._delete(job)
        finally:
            name = (job.worker_id, job.queue)
            self._in_use[name] -= 1
            if self._in_use[name] <= 0:
                del self._in_use[name]
        if self._has_left_over:
            await self.search_again()
        else:
            self._notifications += 1

    async def _delete(self, job: Job) -> None:
        """With those that ended while the last ones were deleted. One that is not deleted is run again."""
        self._ended.add(job.id)
        async with self._deleting:
            if job.id in self._ended:
                ids, self._ended = list(self._ended), set()
                await self.connector.execute_query_async(query=FINISH, ids=ids)

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
            while True:
                with despite_outages():
                    await super().listen_for_jobs(on_notification=notify)
                await asyncio.sleep(LISTEN_AGAIN)
        finally:
            self._listeners.discard(on_notification)


def _lane_of(queue: str) -> str:
    return queue.partition(":")[0]
