"""Stores how a reading went, and informs administrators when Teams lastingly does not show what it accepted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from storage.queries.people import effects
from storage.tables.effects import ReadBackRun
from sync.domain.errors import SyncError
from sync.domain.presence import Effect
from sync.problems.incidents import EFFECT, EFFECT_MISSING

LASTING = timedelta(minutes=10)
PAUSE = timedelta(minutes=15)
"""After a longer time without a reading, it is not known whether what failed before still did."""

MANY = 3
"""So many people do not choose a weaker state by hand while they are on the phone, if they are the majority."""

log = structlog.get_logger()


async def store(
    session: AsyncSession,
    integration_id: str,
    found: Sequence[tuple[Effect, bool]],
    error: SyncError | None,
    now: datetime,
) -> None:
    """``found``: what became of each wish, and whether it had been sent again; ``error``: why none was read."""
    run = await effects.get_run(session, integration_id)
    if run is None:
        run = ReadBackRun(integration_id=integration_id, asked_at=now)
    elif run.read_at is None or run.read_at + PAUSE < now:
        run.failing_since = None
    run.fault = error.fault.value if error else ""
    run.asked_at = now
    run.read_at = run.read_at if error else now
    session.add(run)
    read = [each for each in found if each[0] is not Effect.UNCLEAR]
    failing = count_failing(read)
    if failing:
        run.failing_since = run.failing_since or now
        if run.failing_since + LASTING <= now:
            await _report(session, integration_id, failing, now)
    elif read and not any(effect is Effect.NOT_SHOWN for effect, _ in read):
        run.failing_since = None
        await problems.close_open(session, integration_id, [EFFECT], now)


def count_failing(read: Sequence[tuple[Effect, bool]]) -> int:
    """How many presences Teams does not show though they were sent again. Pure."""
    failing = sum(effect is Effect.NOT_SHOWN and sent_again for effect, sent_again in read)
    doubtful = sum(effect is Effect.PERHAPS_CHOSEN for effect, _ in read)
    return failing + doubtful if doubtful >= MANY and doubtful * 2 > len(read) else failing


async def _report(session: AsyncSession, integration_id: str, people: int, now: datetime) -> None:
    if await problems.upsert_open(session, integration_id, EFFECT, EFFECT_MISSING, {"people": people}, False, now):
        log.warning("effect_missing", integration=integration_id, people=people)
