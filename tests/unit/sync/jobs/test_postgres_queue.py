"""The search for a job: what a notification says during it is not forgotten."""

import asyncio
from typing import Any

from procrastinate.connector import BaseAsyncConnector

from sync.jobs.postgres_queue import ORDINARY, SLOTS, URGENT, FairJobManager
from sync.jobs.worker_locks import WorkerLocks


class EmptyTable(BaseAsyncConnector):
    """A database without due jobs, of which the first search is overtaken by a notification."""

    def __init__(self) -> None:
        self.manager = FairJobManager(self, WorkerLocks(""))
        self.searches = 0

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        self.searches += 1
        if self.searches == 1:
            await self.manager._notify(channel="default", notification={"type": "job_inserted", "job_id": 1})
        return {"id": None}

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        await asyncio.Event().wait()


async def test_after_a_notification_that_came_during_a_search_the_table_is_searched_again() -> None:
    """Procrastinate's worker forgets it when the search ends, and would wait for its next poll."""
    table = EmptyTable()
    assert await table.manager.fetch_job(["default"], worker_id=1) is None
    assert table.searches == 2


async def test_when_a_job_has_ended_only_its_own_lane_is_searched_again() -> None:
    manager, heard = EmptyTable().manager, list[str]()

    async def listen(lane: str) -> None:
        async def hear(*, channel: str, notification: Any) -> None:
            heard.append(lane)

        await manager.listen_for_jobs(on_notification=hear, queues=[lane])

    listeners = [asyncio.create_task(listen(lane)) for lane in SLOTS]
    await asyncio.sleep(0)
    await manager.search_again(f"{URGENT}:a-tenant")
    assert heard == [URGENT]
    await manager.search_again()
    assert sorted(heard[1:]) == sorted([URGENT, ORDINARY])
    for listener in listeners:
        listener.cancel()
