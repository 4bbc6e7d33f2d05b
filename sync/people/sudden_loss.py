"""Detects that a directory was suddenly read half or empty: believed only when a second reading agrees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from sync.domain.model import Service
from sync.problems.incidents import LISTS, LISTS_SHRUNK

log = structlog.get_logger()

CONFIRM_AFTER = timedelta(minutes=3)
"""A reading this long after the first one is the second."""

FEW = 6
"""Of fewer people some may leave on one day; only to have lost all of them is sudden."""


@dataclass(frozen=True, slots=True)
class Loss:
    """``before`` people became ``after``, in the list of ``service``."""

    service: Service
    before: int
    after: int


def find(losses: Iterable[Loss]) -> Loss | None:
    """The first that is sudden."""
    return next((loss for loss in losses if _is_sudden(loss)), None)


def _is_sudden(loss: Loss) -> bool:
    if loss.before < FEW:
        return loss.before > 0 and loss.after == 0
    return loss.after * 2 <= loss.before


async def is_believed(session: AsyncSession, integration_id: str, loss: Loss | None, now: datetime) -> bool:
    """Whether a reading may be stored: without a loss, or with one that an earlier reading had too.

    A loss opens a problem at the first reading; the second closes it, and its facts say how it ended.
    """
    opened = [row for row in await problems.list_open(session, integration_id) if row.service == LISTS]
    if loss is None:
        await problems.close_open(session, integration_id, [LISTS], now)
        return True
    facts = {"people": loss.before - loss.after, "before": loss.before, "side": loss.service.value}
    earlier = next((row for row in opened if row.facts.get("side") == loss.service), None)
    if earlier is None:
        await problems.close_open(session, integration_id, [LISTS], now)
    if earlier is None or now < earlier.since + CONFIRM_AFTER:
        log.warning("list_shrunk", integration=integration_id, **facts)
        await problems.upsert_open(session, integration_id, LISTS, LISTS_SHRUNK, facts, False, now)
        return False
    earlier.facts = {**facts, "believed": 1}
    log.warning("list_shrunk_believed", integration=integration_id, **facts)
    await problems.close_open(session, integration_id, [LISTS], now)
    return True
