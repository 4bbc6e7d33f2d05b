"""Detects that a directory was suddenly read half or empty: believed only when a second reading agrees."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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
    """``before`` people became ``after`` in the list of ``service``: all, or those who have what was ``lost``.

    That is ``extension`` or ``address``, without which nobody is shown.
    """

    service: Service
    before: int
    after: int
    lost: str = ""


def find(losses: Iterable[Loss]) -> Loss | None:
    """The first that is sudden."""
    return next((loss for loss in losses if _is_sudden(loss)), None)


def _is_sudden(loss: Loss) -> bool:
    """One person's extension is taken away as a matter of course."""
    least = 2 if loss.lost else 1
    if loss.before < FEW:
        return loss.before >= least and loss.after == 0
    return loss.after * 2 <= loss.before


async def is_believed(session: AsyncSession, integration_id: str, loss: Loss | None, now: datetime) -> bool:
    """Whether a reading may be stored: without a loss, or with one that an earlier reading had too.

    A loss opens a problem at the first reading; the second closes it, and its facts say how it ended. Another loss
    than the one before takes its place.
    """
    opened = [row for row in await problems.list_open(session, integration_id) if row.service == LISTS]
    if loss is None:
        await problems.close_open(session, integration_id, [LISTS], now)
        return True
    subject = _subject_of({"side": loss.service.value, "lost": loss.lost})
    facts = {"people": loss.before - loss.after, "before": loss.before, **subject}
    earlier = next((row for row in opened if _subject_of(row.facts) == subject), None)
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


def _subject_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Whose list it is, and what people have no more there, of the facts of a problem."""
    return {name: facts[name] for name in ("side", "lost") if facts.get(name)}
