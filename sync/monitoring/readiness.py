"""How it is, for machines that ask: whether it can do its work, and the numbers."""

import asyncio
from collections.abc import Coroutine
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.logging import describe_error
from core.metrics import Metrics
from storage.database import Database
from sync.domain.jobs import JobQueue
from sync.monitoring.store_gauges import StoreGauges

PATIENCE = 3.0
"""Seconds in which the database answers, or counts as away."""

DATABASE, JOBS = "database", "jobs"

log = structlog.get_logger()


class ReadinessProbe:
    """Asks the database and the jobs how they are. Nothing here raises, and nothing waits for long."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        store_gauges: StoreGauges,
        metrics: Metrics,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._store_gauges = store_gauges
        self._metrics = metrics
        self._patience = patience
        self._is_away = False
        self._under_way: set[asyncio.Task[bool]] = set()
        metrics.built(database.engine.dialect.name)

    async def close(self) -> None:
        """What was given up is let end, for a while."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=PATIENCE)

    async def ready(self) -> bool:
        """Whether the store answers and jobs are being done."""
        parts = {DATABASE: await self._answers(), JOBS: await self._jobs_alive()}
        for part, is_well in parts.items():
            self._metrics.ready.labels(part=part).set(is_well)
        return all(parts.values())

    async def measure(self) -> None:
        """Bring the gauges up to date; while the database is away, those of what it holds stay as they were."""
        await self.ready()
        if not self._is_away:
            await self._attempt(self._count())

    async def _answers(self) -> bool:
        began = perf_counter()
        answered = await self._attempt(self._ask())
        if answered:
            self._metrics.database_seconds.set(perf_counter() - began)
        return answered

    async def _ask(self) -> bool:
        async with self._database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def _jobs_alive(self) -> bool:
        return bool(await self._in_time(self._jobs.alive()))

    async def _count(self) -> bool:
        await self._store_gauges.take()
        waiting = await self._jobs.waiting()
        if waiting is not None:
            self._metrics.jobs_waiting.set(waiting)
        return True

    async def _attempt(self, act: Coroutine[Any, Any, bool]) -> bool:
        """Whether it could be done in time."""
        error = "TimeoutError"
        try:
            answered = await self._in_time(act)
        except (SQLAlchemyError, OSError) as raised:
            answered, error = None, describe_error(raised)
        self._note("" if answered else error)
        return bool(answered)

    async def _in_time(self, act: Coroutine[Any, Any, bool]) -> bool | None:
        """None when it took too long: it is told to stop, but a driver may take its time even for that."""
        task = asyncio.create_task(act)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=self._patience)
        if task.done():
            return task.result()
        task.cancel()
        return None

    def _ended(self, task: asyncio.Task[bool]) -> None:
        """What became of one that was given up is nobody's concern."""
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()

    def _note(self, error: str) -> None:
        """Said once when it goes and once when it is back."""
        if bool(error) != self._is_away:
            self._is_away = bool(error)
            if error:
                log.error("database_away", error=error)
            else:
                log.info("database_back")
