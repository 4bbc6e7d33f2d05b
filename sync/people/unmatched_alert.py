"""Detects that many people suddenly no longer match: most likely, addresses were changed on one side."""

from collections.abc import Collection
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.problems import Problem
from sync.problems.incidents import PEOPLE, UNMATCHED_RISING

log = structlog.get_logger()

MIN_TOLERATED = 3
TOLERATED_SHARE = 0.1
"""The share of the matched people that may lose their match between two runs without an alert."""


async def check(
    session: AsyncSession, integration_id: str, matched: int, lost: Collection[str], now: datetime
) -> None:
    """Open or close the problem: of ``matched`` people these, by id, no longer match.

    It is closed once the number of people still lost is tolerated.
    """
    opened = await _find_open(session, integration_id)
    if opened is None:
        if len(lost) > tolerated(matched):
            await _open(session, integration_id, lost, matched, now)
        return
    earlier = await people.by_ids(session, opened.facts.get("lost", ()))
    still = {key for key, row in earlier.items() if not row.teams_user_id and not row.gone}.union(lost)
    if len(still) <= tolerated(int(opened.facts.get("matched", 0))):
        log.info("unmatched_resolved", integration=integration_id)
        await problems.close_open(session, integration_id, [PEOPLE], now)
    elif len(still) != opened.facts.get("people"):
        opened.facts = {**opened.facts, "lost": sorted(still), "people": len(still)}


def tolerated(matched: int) -> int:
    """How many of ``matched`` people may be lost in one run."""
    return max(MIN_TOLERATED, int(matched * TOLERATED_SHARE))


async def _open(
    session: AsyncSession, integration_id: str, lost: Collection[str], matched: int, now: datetime
) -> None:
    log.warning("unmatched_rising", integration=integration_id, people=len(lost), matched=matched)
    facts = {"lost": sorted(lost), "people": len(lost), "matched": matched}
    await problems.upsert_open(session, integration_id, PEOPLE, UNMATCHED_RISING, facts, False, now)


async def _find_open(session: AsyncSession, integration_id: str) -> Problem | None:
    rows = await problems.list_open(session, integration_id)
    return next((problem for problem in rows if problem.service == PEOPLE), None)
