"""How long changes take from their arrival here to their acceptance by Graph, and what else is counted by the hour.

Counted in memory, delays in buckets each a fifth longer than the one before, and added to the store now and then,
where all processes find them. What a crash loses are the counts of a second.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import Clock, Sleep
from core.logging import describe_error, where
from storage.database import Database
from storage.queries.health import figures
from storage.queries.people import effects
from sync.domain.model import Delay
from sync.domain.reports import Figure

FIRST, GROWTH, BUCKETS = 0.01, 1.2, 80
"""The first bucket ends at 10 ms, the last at some six hours."""

SLOT = 300
HOUR = 3600
FLUSH_SECONDS = 1.0
MAX_PENDING = 50_000
"""Counts kept in memory while the store is away."""

BUCKET = "delay "
"""Begins the name of the figure that counts the delays of a bucket."""

log = structlog.get_logger()


class Delays:
    """The counts of this process that are not stored yet."""

    def __init__(self, database: Database, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._pending: Counter[tuple[str, int, int]] = Counter()
        self._figures: Counter[tuple[str, int, str]] = Counter()

    def observe(self, delays: Iterable[tuple[str, float]]) -> None:
        """Changes were accepted now: integration, and seconds since each arrived."""
        now = self._clock()
        slot, hour = slot_of(now), hour_of(now)
        for (integration_id, bucket), number in Counter((key, bucket_of(each)) for key, each in delays).items():
            if len(self._pending) < MAX_PENDING:
                self._pending[integration_id, slot, bucket] += number
                self._figures[integration_id, hour, f"{BUCKET}{bucket}"] += number

    def count(self, integration_id: str, figure: Figure, number: int = 1) -> None:
        """Something to be counted happened now, ``number`` times."""
        if len(self._figures) < MAX_PENDING:
            self._figures[integration_id, hour_of(self._clock()), figure.value] += number

    async def flush(self) -> None:
        """Store what was counted. Raises the database's errors; the counts are kept then."""
        if not self._figures:
            return
        pending, self._pending = self._pending, Counter()
        counted, self._figures = self._figures, Counter()
        try:
            async with self._database.writing() as session:
                await effects.add_delays(session, pending)
                await figures.add(session, counted)
        except BaseException:
            self._pending += pending
            self._figures += counted
            raise

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        """Store the counts every ``FLUSH_SECONDS``, and at the end of the block."""
        task = asyncio.create_task(self._flush_forever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._try_flush()

    async def _flush_forever(self) -> None:
        while True:
            await self._sleep(FLUSH_SECONDS)
            await self._try_flush()

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception as error:
            log.warning("delays_not_stored", error=describe_error(error), where=where(error.__traceback__))


def slot_of(now: datetime) -> int:
    return int(now.timestamp()) // SLOT * SLOT


def hour_of(now: datetime) -> int:
    return int(now.timestamp()) // HOUR * HOUR


def bucket_of(seconds: float) -> int:
    if seconds <= FIRST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(seconds / FIRST, GROWTH)))


async def delay_of(session: AsyncSession, integration_id: str, now: datetime) -> Delay | None:
    """The delays of the last hour; None without a change."""
    counts = await effects.delays(session, integration_id, slot_of(now) - HOUR + SLOT)
    return Delay(quantile(counts, 0.5), quantile(counts, 0.95), counts.total()) if counts else None


def bucket_in(name: str) -> int | None:
    """The bucket that a figure's name means, None for another figure."""
    return int(name.removeprefix(BUCKET)) if name.startswith(BUCKET) else None


def quantile(counts: Mapping[int, int], share: float) -> float:
    """The end of the bucket that holds it, in seconds."""
    wanted = share * sum(counts.values())
    for bucket in sorted(counts):
        wanted -= counts[bucket]
        if wanted <= 0:
            break
    return float(FIRST * GROWTH**bucket)
