"""How many rows of a kind are kept: of more, stored by people without end, the oldest are deleted."""

from collections.abc import Sequence

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.conversations import Press
from storage.tables.history import HistoryEntry

MOST = 100_000


async def delete_beyond(session: AsyncSession) -> None:
    """Keep the newest ``MOST`` presses of a tenant, and acts of a person: nobody pushes another's acts out."""
    await _delete_oldest(session, Press, ["owner_tenant"])
    await _delete_oldest(session, HistoryEntry, ["owner_tenant", "actor_id"])


async def _delete_oldest(session: AsyncSession, table: type[Press | HistoryEntry], equal: Sequence[str]) -> None:
    """Of rows with equal values in these columns, delete the oldest beyond ``MOST``."""
    columns = [col(getattr(table, name)) for name in equal]
    crowded = select(*columns).group_by(*columns).having(func.count() > MOST)
    for values in (await session.exec(crowded)).all():
        named = [values] if len(equal) == 1 else values
        same = [column == value for column, value in zip(columns, named, strict=True)]
        newest = select(table.at).where(*same).order_by(col(table.at).desc())
        oldest_kept = (await session.exec(newest.offset(MOST - 1).limit(1))).one()
        await session.exec(delete(table).where(*same, col(table.at) < oldest_kept))
