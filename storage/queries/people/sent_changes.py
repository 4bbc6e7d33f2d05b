"""The last changes sent for each person, one row each."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.people import batches
from storage.tables.people import Person, SentChanges


async def entries(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The entries of each of these people who has some, newest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part in batches(sorted(person_ids)):
        rows = await session.exec(select(SentChanges).where(col(SentChanges.person_id).in_(part)))
        found |= {row.person_id: row.entries for row in rows.all()}
    return found


async def newest(session: AsyncSession, integration_id: str, limit: int) -> list[SentChanges]:
    """The rows of the people of an integration for whom something was sent last, newest first."""
    query = (
        select(SentChanges)
        .join(Person, col(Person.id) == col(SentChanges.person_id))
        .where(Person.integration_id == integration_id)
        .order_by(col(SentChanges.newest_at).desc(), col(SentChanges.person_id))
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete what was sent to people for whom nothing was sent since then."""
    await session.exec(delete(SentChanges).where(col(SentChanges.newest_at) < before))
