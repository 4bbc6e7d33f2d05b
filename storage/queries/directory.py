"""People as the directories know them, read in slices: of 100,000 of them none holds the event loop for long."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import select as columns
from sqlmodel import col

from storage.database import Database
from storage.tables.people import Person

SLICE = 1000

Directory = tuple[str, str, str | None, str, str | None, str | None, bool]
"""Name, address, extension, site, Teams user, reason for not being shown, and whether gone from CloudLink."""


Stored = tuple[str, Directory, str | None, str]
"""CloudLink user, what is stored of them, the Teams user for whom something is shown, and the person's id."""


async def slices(database: Database, integration_id: str) -> AsyncIterator[list[Stored]]:
    """Everyone of an integration, also who is gone."""
    after: str | None = ""
    while after is not None:
        rows = await _read(database, integration_id, after)
        yield [(row[0], tuple(row[1:8]), row[8], row[9]) for row in rows]
        after = rows[-1][0] if len(rows) == SLICE else None


async def _read(database: Database, integration_id: str, after: str) -> Sequence[Any]:
    query = (
        columns(
            col(Person.cloudlink_user_id),
            col(Person.name),
            col(Person.address),
            col(Person.extension),
            col(Person.site_id),
            col(Person.teams_user_id),
            col(Person.unmatched),
            col(Person.gone),
            col(Person.applied_user_id),
            col(Person.id),
        )
        .where(col(Person.integration_id) == integration_id, col(Person.cloudlink_user_id) > after)
        .order_by(col(Person.cloudlink_user_id))
        .limit(SLICE)
    )
    async with database.session() as session:
        return (await (await session.connection()).execute(query)).all()
