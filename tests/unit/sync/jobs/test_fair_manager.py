"""The search for jobs: what a notification says during it is not forgotten, and nothing is searched for in vain."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from procrastinate import sql
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager

from sync.jobs.fair_manager import FairJobManager
from sync.jobs.worker_locks import WorkerLocks

EMPTY: dict[str, Any] = {"id": None, "left_over": False, "wait": None}


class Table(BaseAsyncConnector):
    """A database whose searches are answered by these functions, one after another, then with nothing."""

    def __init__(self, *answers: Callable[["Table"], list[dict[str, Any]]]) -> None:
        self.manager = FairJobManager(self, WorkerLocks(""))
        self.answers = list(answers)
        self.searches = 0

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        self.searches += 1
        return self.answers.pop(0)(self) if self.answers else [EMPTY]

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Whatever it deletes, nothing is left."""


def started(*ids: int) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"lock": None, "queueing_lock": None, "args": {}}
    row |= {"scheduled_at": None, "attempts": 0, "status": "doing"}
    named = {"queue_name": "urgent:tenant", "task_name": "push", "priority": 3, "worker_id": 1}
    return [{**EMPTY, **row, **named, "id": number} for number in ids]


async def test_after_a_notification_that_came_during_a_search_the_table_is_searched_again() -> None:
    """Procrastinate's worker forgets it when the search ends, and would wait for its next poll."""

    def overtaken(table: Table) -> list[dict[str, Any]]:
        table.manager._notifications += 1
        return [EMPTY]

    table = Table(overtaken)
    assert await table.manager.fetch_job(None, worker_id=1) is None
    assert table.searches == 2


async def test_jobs_that_one_search_started_are_given_without_another() -> None:
    table = Table(lambda _: started(1, 2, 3))
    found = [await table.manager.fetch_job(None, worker_id=1) for _ in range(4)]
    assert [job and job.id for job in found] == [1, 2, 3, None]
    assert table.searches == 1


async def test_after_a_job_that_ends_there_is_a_search_only_if_something_was_left_over() -> None:
    for left_over in (False, True):
        rows = [{**started(1)[0], "left_over": left_over}]
        table = Table(lambda _, rows=rows: rows)  # type: ignore[misc]
        job = await table.manager.fetch_job(None, worker_id=1)
        assert job is not None
        woken: list[Any] = []

        async def listen(notification: Any, woken: list[Any] = woken, **_: Any) -> None:
            woken.append(notification)

        table.manager._listeners.add(listen)
        await table.manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
        assert len(woken) == left_over


async def test_where_another_process_starts_a_job_with_the_same_lock_the_table_is_searched_again() -> None:
    def conflict(_table: Table) -> list[dict[str, Any]]:
        raise UniqueViolation(constraint_name="procrastinate_jobs_lock_idx_v1", queueing_lock=None)

    table = Table(conflict, lambda _: started(1))
    job = await table.manager.fetch_job(None, worker_id=1)
    assert job
    assert job.id == 1


def test_jobs_are_started_as_procrastinate_itself_starts_them() -> None:
    """After an upgrade that fails here, compare its function with ``FETCH``."""
    _, called = sql.queries["fetch_job"].split("FROM ")
    assert called == "procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker_id)s);"
    schema = SchemaManager.get_schema()
    _, _, function = schema.partition("CREATE FUNCTION procrastinate_fetch_job_v2")
    body, _, _ = function.partition("$$;")
    assert sha256(body.encode()).hexdigest()[:16] == "b077ccfbf72eaebb"
