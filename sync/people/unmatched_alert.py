"""Detects that many people suddenly no longer match: most likely, addresses were changed on one side."""

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import problems
from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.problems.incidents import PEOPLE, UNMATCHED_RISING

log = structlog.get_logger()

MIN_TOLERATED = 3
TOLERATED_SHARE = 0.1
"""The share of the matched people that may lose their match between two runs without an alert."""


async def check(
    session: AsyncSession, integration_id: str, was_matched: Collection[str], rows: Sequence[Person], now: datetime
) -> None:
    """Open or close the problem, from the ids of the rows that were matched before, and the rows as they are now.

    It is closed once the number of people still lost is tolerated.
    """
    lost = [row.id for row in rows if row.id in was_matched and not row.teams_user_id and not row.gone]
    opened = await _find_open(session, integration_id)
    if opened is None:
        if len(lost) > tolerated(len(was_matched)):
            await _open(session, integration_id, lost, len(was_matched), now)
        return
    still = set(opened.facts.get("lost", ())) & {row.id for row in rows if not row.teams_user_id and not row.gone}
    still.update(lost)
    if len(still) <= tolerated(int(opened.facts.get("matched", 0))):
        log.info("unmatched_resolved", integration=integration_id)
        await problems.close_open(session, integration_id, [PEOPLE], now)
    elif len(still) != opened.facts.get("people"):
        opened.facts = {**opened.facts, "lost": sorted(still), "people": len(still)}


def tolerated(matched: int) -> int:
    """How many of ``matched`` people may be lost in one run."""
    return max(MIN_TOLERATED, int(matched * TOLERATED_SHARE))


async def _open(session: AsyncSession, integration_id: str, lost: list[str], matched: int, now: datetime) -> None:
    log.warning("unmatched_rising", integration=integration_id, people=len(lost), matched=matched)
    facts = {"lost": sorted(lost), "people": len(lost), "matched": matched}
    await problems.upsert_open(session, integration_id, PEOPLE, UNMATCHED_RISING, facts, False, now)


async def _find_open(session: AsyncSession, integration_id: str) -> Problem | None:
    rows = await problems.list_open(session, integration_id)
    return next((problem for problem in rows if problem.service == PEOPLE), None)
