"""The search for a job: it is procrastinate's own, and what a notification says during it is not forgotten."""

import asyncio
from typing import Any

from procrastinate import sql
from procrastinate.connector import BaseAsyncConnector

from sync.jobs.fair_manager import FETCH, FairJobManager
from sync.jobs.worker_locks import WorkerLocks


class EmptyTable(BaseAsyncConnector):
    """A database without due jobs, of which the first search is overtaken by a notification."""

    def __init__(self) -> None:
        self.manager = FairJobManager(self, WorkerLocks(""))
        self.searches = 0

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        self.searches += 1
        if self.searches == 1:
            await self.manager.search_again()
        return {"id": None, "wait": None}

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        await asyncio.Event().wait()


async def test_after_a_notification_that_came_during_a_search_the_table_is_searched_again() -> None:
    """Procrastinate's worker forgets it when the search ends, and would wait for its next poll."""
    table = EmptyTable()
    assert await table.manager.fetch_job(["default"], worker_id=1) is None
    assert table.searches == 2


def test_jobs_are_started_as_procrastinate_itself_starts_them() -> None:
    """After an upgrade that fails here, compare its function with the one that is called."""
    _, called = sql.queries["fetch_job"].split("FROM ")
    assert called == "procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker_id)s);"
    assert "FROM procrastinate_fetch_job_v2(ARRAY(" in FETCH
