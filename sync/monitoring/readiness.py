"""Readiness, for orchestrators, and up-to-date gauges, for Prometheus."""

import asyncio
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.logging import describe_error, is_disk_fault
from core.metrics import Metrics
from storage.database import Database
from sync.domain.jobs import JobQueue
from sync.monitoring.store_gauges import StoreGauges

TIMEOUT = 3.0
"""Seconds within which the database must respond to count as available."""

DATABASE, JOBS, BOT, ENTRA = "database", "jobs", "bot", "entra"
DISK = "disk"
"""What cannot be written when its database is, for want of space."""

Check = Callable[[], Coroutine[Any, Any, bool]]

log = structlog.get_logger()


class ReadinessProbe:
    """Checks the database and the job queue. No method raises or takes longer than ``timeout`` for each check."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        store_gauges: StoreGauges,
        metrics: Metrics,
        timeout: float = TIMEOUT,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._store_gauges = store_gauges
        self._metrics = metrics
        self._timeout = timeout
        self._fault = ""
        self._watched: dict[str, Check] = {}
        self._pending: set[asyncio.Task[bool]] = set()
        metrics.set_build(database.engine.dialect.name)

    def watch(self, part: str, check: Check) -> None:
        """Have ``check``, which raises nothing, say whether ``part`` is ready, for the metrics alone.

        The rest of the process works without it, such as webhooks while the bot's own secret is refused.
        """
        self._watched[part] = check

    async def close(self) -> None:
        """Wait a while for checks that timed out and are still being cancelled."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=TIMEOUT)

    async def ready(self) -> bool:
        """Whether the database can be written and jobs are run."""
        parts = {DATABASE: await self._check_database(), JOBS: await self._check_jobs()}
        watched = {part: await self._in_time(check()) is not False for part, check in self._watched.items()}
        for part, is_ready in (parts | watched).items():
            self._metrics.ready.labels(part=part).set(is_ready)
        return all(parts.values())

    async def store_fault(self, *, in_doubt: bool) -> str:
        """Why nothing can be stored, ``DISK`` or ``DATABASE``; empty if it can, as far as is known.

        The database is asked only if it could not be written when it was asked last, or when ``in_doubt``.
        """
        if self._fault or in_doubt:
            await self._check_database()
        return self._fault

    async def refresh_gauges(self) -> None:
        """Update the gauges; those read from the database keep their values while it is unavailable."""
        await self.ready()
        if not self._fault:
            await self._attempt(self._refresh())

    async def _check_database(self) -> bool:
        began = perf_counter()
        responded = await self._attempt(self._write())
        if responded:
            self._metrics.database_seconds.set(perf_counter() - began)
        return responded

    async def _write(self) -> bool:
        """A change that changes nothing, committed: a database whose disk is full still answers questions."""
        async with self._database.engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        return True

    async def _check_jobs(self) -> bool:
        return bool(await self._in_time(self._jobs.alive()))

    async def _refresh(self) -> bool:
        await self._store_gauges.refresh()
        waiting = await self._jobs.waiting()
        if waiting is not None:
            self._metrics.jobs_waiting.set(waiting)
        return True

    async def _attempt(self, action: Coroutine[Any, Any, bool]) -> bool:
        """Whether ``action`` succeeded in time."""
        error, fault = "TimeoutError", DATABASE
        try:
            responded = await self._in_time(action)
        except (SQLAlchemyError, OSError) as raised:
            responded, error = None, describe_error(raised)
            if is_disk_fault(raised):
                error, fault = f"{error}: the disk is full or cannot be written", DISK
        self._log_change("" if responded else error)
        self._fault = "" if responded else fault
        return bool(responded)

    async def _in_time(self, action: Coroutine[Any, Any, bool]) -> bool | None:
        """None after the timeout: the task is cancelled but not awaited, for a driver may take long to cancel."""
        task = asyncio.create_task(action)
        self._pending.add(task)
        task.add_done_callback(self._finish)
        await asyncio.wait({task}, timeout=self._timeout)
        if task.done():
            return task.result()
        task.cancel()
        return None

    def _finish(self, task: asyncio.Task[bool]) -> None:
        """Retrieve the exception of a task that timed out, so that asyncio does not log it."""
        self._pending.discard(task)
        if not task.cancelled():
            task.exception()

    def _log_change(self, error: str) -> None:
        """Log once when the database becomes unavailable and once when it is available again."""
        if error and not self._fault:
            log.error("database_unavailable", error=error)
        elif self._fault and not error:
            log.info("database_available")
