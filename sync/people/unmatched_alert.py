"""Notices when suddenly many people no longer match: addresses were changed on one side, most likely."""

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import problems
from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.problems.incidents import PEOPLE, UNMATCHED_RISING

log = structlog.get_logger()

FEW = 3
SHARE = 0.1
"""So many, and this part of those who matched, may leave between two readings without a word."""


async def note(
    session: AsyncSession, integration_id: str, was_matched: Collection[str], rows: Sequence[Person], now: datetime
) -> None:
    """Compare who matched before (their rows' ids) with who does now; raise, or close, the problem.

    It is over when no more of those who were lost are left than would not have raised it.
    """
    lost = [row.id for row in rows if row.id in was_matched and not row.teams_user_id and not row.gone]
    raised = await _raised(session, integration_id)
    if raised is None:
        if len(lost) > tolerated(len(was_matched)):
            await _raise(session, integration_id, lost, len(was_matched), now)
        return
    still = set(raised.facts.get("lost", ())) & {row.id for row in rows if not row.teams_user_id and not row.gone}
    still.update(lost)
    if len(still) <= tolerated(int(raised.facts.get("matched", 0))):
        log.info("unmatched_settled", integration=integration_id)
        await problems.close_open(session, integration_id, [PEOPLE], now)
    elif len(still) != raised.facts.get("people"):
        raised.facts = {**raised.facts, "lost": sorted(still), "people": len(still)}
        session.add(raised)


def tolerated(matched: int) -> int:
    """How many of so many may be lost at once."""
    return max(FEW, int(matched * SHARE))


async def _raise(session: AsyncSession, integration_id: str, lost: list[str], matched: int, now: datetime) -> None:
    log.warning("unmatched_rising", integration=integration_id, people=len(lost), matched=matched)
    facts = {"lost": sorted(lost), "people": len(lost), "matched": matched}
    await problems.upsert_open(session, integration_id, PEOPLE, UNMATCHED_RISING, facts, False, now)


async def _raised(session: AsyncSession, integration_id: str) -> Problem | None:
    opened = await problems.list_open(session, integration_id)
    return next((problem for problem in opened if problem.service == PEOPLE), None)
