"""The last changes sent for each person, one row each."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people import batches
from storage.tables.people import Person, SentChanges


async def entries(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The entries of each of these people who has some, newest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part in batches(sorted(person_ids)):
        rows = await session.exec(select(SentChanges).where(col(SentChanges.person_id).in_(part)))
        found |= {row.person_id: row.entries for row in rows.all()}
    return found


async def store(session: AsyncSession, entries: Mapping[str, Sequence[Mapping[str, Any]]], now: datetime) -> None:
    """Replace the entries of these people, of whom some may be gone."""
    for part in batches(sorted(entries)):
        present = (await session.exec(select(Person.id).where(col(Person.id).in_(part)))).all()
        known = await session.exec(select(SentChanges).where(col(SentChanges.person_id).in_(present)))
        rows = {row.person_id: row for row in known.all()}
        for name in present:
            row = rows.get(name) or SentChanges(person_id=name, newest_at=now)
            row.entries, row.newest_at = [dict(entry) for entry in entries[name]], now
            session.add(row)


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete what was sent to people for whom nothing was sent since then."""
    await session.exec(delete(SentChanges).where(col(SentChanges.newest_at) < before))
