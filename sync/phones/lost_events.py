"""Events that could not be stored: everybody whom they may concern is polled as soon as the store is back."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import structlog
from sqlmodel import col

from core.clock import Sleep
from core.logging import describe_error
from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.jobs import POLL

RETRY_SECONDS = 1.0
MAX_REMEMBERED = 10_000
"""Webhooks of which a lost event is remembered: their tokens come from outside, and cannot be checked yet."""

OF_ANY = ""
"""Remembered instead of further ones, for every webhook: made-up tokens push no real one out."""

log = structlog.get_logger()


class LostEvents:
    """Remembers in this process the webhooks whose events were lost: its next start polls everybody anyway."""

    def __init__(self, context: Context, sleep: Sleep = asyncio.sleep) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._sleep = sleep
        self._token_hashes: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, token_hash: str) -> None:
        """An event of this webhook was lost; a job polls its people once that can be stored."""
        self._token_hashes.add(token_hash if len(self._token_hashes) < MAX_REMEMBERED else OF_ANY)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._catch_up())

    @property
    def is_empty(self) -> bool:
        return not self._token_hashes

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _catch_up(self) -> None:
        while self._token_hashes:
            token_hashes = frozenset(self._token_hashes)
            try:
                ids = await self._mark_gap(token_hashes)
            except Exception as error:
                log.warning("lost_events_wait", error=describe_error(error))
                await self._sleep(RETRY_SECONDS)
                continue
            self._token_hashes -= token_hashes
            log.info("lost_events_polled", integrations=len(ids))

    async def _mark_gap(self, token_hashes: Collection[str]) -> Collection[str]:
        """All people of these webhooks' integrations are polled: now, or in turns by the schedule, if it is all."""
        concerns_all = OF_ANY in token_hashes
        which = [] if concerns_all else [col(Integration.webhook_token_hash).in_(token_hashes)]
        async with self._database.writing() as session:
            ids = await integrations.mark_gap(session, self._clock(), *which)
        if not concerns_all:
            await self._jobs.defer_all((POLL, integration_id) for integration_id in ids)
        return ids
