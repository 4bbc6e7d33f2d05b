"""Presses of buttons, to deduplicate them: of several, on any number of machines, exactly one is the first."""

from datetime import datetime

from sqlmodel import col, delete
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import insert_or_ignore
from storage.tables.conversations import Press


async def claim(session: AsyncSession, press: Press) -> Press | None:
    """None for the first press of this tenant, stamp and verb; for a later one, the first."""
    query = insert_or_ignore(session, Press).values(**press.model_dump()).returning(col(Press.stamp))
    if (await session.exec(query)).first() is not None:  # not every driver returns a count of rows
        return None
    return await session.get(Press, (press.owner_tenant, press.stamp, press.verb))


async def release(session: AsyncSession, press: Press) -> None:
    """Forget the press, so that the button can be pressed again."""
    await session.exec(
        delete(Press).where(
            col(Press.owner_tenant) == press.owner_tenant,
            col(Press.stamp) == press.stamp,
            col(Press.verb) == press.verb,
        )
    )


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete presses before then: a card that old is not pressed again."""
    await session.exec(delete(Press).where(col(Press.at) < before))
