"""The last changes sent for each person, one row each."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people import batches
from storage.tables.people import SentChanges


async def entries(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The entries of each of these people who has some, newest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part in batches(sorted(person_ids)):
        rows = await session.exec(select(SentChanges).where(col(SentChanges.person_id).in_(part)))
        found |= {row.person_id: row.entries for row in rows.all()}
    return found


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete what was sent to people for whom nothing was sent since then."""
    await session.exec(delete(SentChanges).where(col(SentChanges.newest_at) < before))
