"""Informs administrators when CloudLink's events lastingly do not arrive, though polls find calls."""

from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from storage.tables.integrations import Integration
from sync.domain.model import Freshness
from sync.problems.incidents import EVENTS, EVENTS_MISSED
from sync.scheduling.freshness import freshness_of

MIN_MISSED = 3
LASTING = timedelta(minutes=10)
"""Fewer missed events, or within a shorter time, are made up for by polls and need no administrator."""

log = structlog.get_logger()


async def check(session: AsyncSession, integration: Integration, now: datetime) -> None:
    """Open or close the problem; called at the end of each round of polling."""
    if freshness_of(integration, now, public=True) is not Freshness.MISSED:
        await problems.close_open(session, integration.id, [EVENTS], now)
    elif _is_lasting(integration):
        facts = {"calls": integration.missed}
        if await problems.upsert_open(session, integration.id, EVENTS, EVENTS_MISSED, facts, False, now):
            log.warning("events_missed", integration=integration.id, calls=integration.missed)


def _is_lasting(integration: Integration) -> bool:
    since, last = integration.missed_since, integration.missed_at
    if since is None or last is None:
        return False
    return integration.missed >= MIN_MISSED and last - since >= LASTING
