"""People and Teams users as the directories know them, in slices: 100,000 of them do not hold the event loop."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database, upsert
from storage.queries.people.people import batches
from storage.tables.directory import DirectoryState, DirectoryUser
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


class PresentPerson(NamedTuple):
    """Columns of ``Person``."""

    cloudlink_user_id: str
    name: str
    address: str
    line: str
    desired: str | None
    teams_user_id: str | None
    excluded: bool
    outside: str
    opted_out: bool
    unmatched: str | None
    refusal: str


async def present(database: Database, integration_id: str) -> AsyncIterator[list[PresentPerson]]:
    """Everyone of an integration who is in CloudLink."""
    after: str | None = ""
    while after is not None:
        query = (
            columns(*(getattr(Person, name) for name in PresentPerson._fields))
            .where(
                col(Person.integration_id) == integration_id,
                col(Person.cloudlink_user_id) > after,
                col(Person.gone).is_(False),
            )
            .order_by(col(Person.cloudlink_user_id))
            .limit(SLICE)
        )
        async with database.session() as session:
            rows = (await (await session.connection()).execute(query)).all()
        yield [PresentPerson(*row) for row in rows]
        after = rows[-1][0] if len(rows) == SLICE else None


FIELDS = ("principal_name", "mail", "proxy_addresses", "enabled", "guest")


_STATE = select(DirectoryState).where(DirectoryState.integration_id == bindparam("integration_id"))


async def get_state(session: AsyncSession, integration_id: str) -> DirectoryState | None:
    return (await session.exec(_STATE, params={"integration_id": integration_id})).first()


async def count_change(session: AsyncSession, integration_id: str) -> None:
    """An administrator matched someone otherwise: what was stored by the last match is not what it would store."""
    if state := await get_state(session, integration_id):
        state.stamp += 1


async def users(database: Database, integration_id: str) -> AsyncIterator[Sequence[Any]]:
    """The Teams users read of an integration: ``user_id`` and ``FIELDS``."""
    after: str | None = ""
    while after is not None:
        query = (
            columns(col(DirectoryUser.user_id), *(getattr(DirectoryUser, name) for name in FIELDS))
            .where(col(DirectoryUser.integration_id) == integration_id, col(DirectoryUser.user_id) > after)
            .order_by(col(DirectoryUser.user_id))
            .limit(SLICE)
        )
        async with database.session() as session:
            rows = (await (await session.connection()).execute(query)).all()
        yield rows
        after = rows[-1][0] if len(rows) == SLICE else None


async def users_by_id(
    session: AsyncSession, integration_id: str, user_ids: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Those known of these Teams users: all columns, by id."""
    found: dict[str, Mapping[str, Any]] = {}
    for part in batches(sorted(user_ids)):
        query = columns(DirectoryUser.__table__).where(  # type: ignore[attr-defined]
            col(DirectoryUser.integration_id) == integration_id, col(DirectoryUser.user_id).in_(part)
        )
        rows = (await (await session.connection()).execute(query)).mappings()
        found |= {row["user_id"]: dict(row) for row in rows}
    return found


async def store_users(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace these rows of ``DirectoryUser``."""
    if rows:
        await (await session.connection()).execute(upsert(session, DirectoryUser, (*FIELDS, "round")), rows)


async def delete_users(session: AsyncSession, integration_id: str, user_ids: Collection[str]) -> int:
    """Returns how many of them there were."""
    count = 0
    for part in batches(sorted(user_ids)):
        here = (col(DirectoryUser.integration_id) == integration_id, col(DirectoryUser.user_id).in_(part))
        count += (await session.exec(delete(DirectoryUser).where(*here))).rowcount
    return count


async def delete_users_of_other_rounds(session: AsyncSession, integration_id: str, round_: int) -> int:
    """Those whom the whole reading ``round_`` did not find; returns how many there were."""
    here = (col(DirectoryUser.integration_id) == integration_id, col(DirectoryUser.round) != round_)
    return int((await session.exec(delete(DirectoryUser).where(*here))).rowcount)
