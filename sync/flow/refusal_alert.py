"""Informs administrators when Graph refuses everyone: then the reason is no longer one person's."""

from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from storage.queries.people import reach
from sync.domain.errors import Fault
from sync.problems.health import REFUSALS

MANY = 3
"""Of fewer people in a row it may be their own: a licence that is missing, an account that is locked."""

log = structlog.get_logger()


async def check(session: AsyncSession, integration_id: str, now: datetime) -> None:
    """Open or close the problem; called when Graph refused someone, and when it accepts a presence again."""
    found = await reach.refusals_in_a_row(session, integration_id, MANY)
    if len(found) < MANY:
        await problems.close_open(session, integration_id, [REFUSALS], now)
        return
    fault, facts = Fault.GRAPH_EVERYONE_REFUSED, {"code": found[0]}
    if await problems.upsert_open(session, integration_id, REFUSALS, fault.value, facts, True, now):
        log.warning("everyone_refused", integration=integration_id, code=found[0])
