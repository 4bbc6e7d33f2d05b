"""Buttons that were pressed: of any number of presses, on any number of machines, one is the first."""

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, delete
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.conversations import Press


async def claim(session: AsyncSession, press: Press) -> Press | None:
    """None for the first press of this tenant, stamp and verb; for any other, the first."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    query = insert(Press).values(**press.model_dump()).on_conflict_do_nothing().returning(col(Press.stamp))
    if (await session.exec(query)).first() is not None:  # a count of rows is not told by every driver
        return None
    return await session.get(Press, (press.owner_tenant, press.stamp, press.verb))


async def release(session: AsyncSession, press: Press) -> None:
    """It may be pressed again."""
    await session.exec(
        delete(Press).where(
            col(Press.owner_tenant) == press.owner_tenant,
            col(Press.stamp) == press.stamp,
            col(Press.verb) == press.verb,
        )
    )


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Nobody is expected to press a card that old."""
    await session.exec(delete(Press).where(col(Press.at) < before))
