"""Presses of buttons, to deduplicate them: of several, on any number of machines, exactly one is the first."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import and_, col, delete, true, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import is_sqlite, upsert
from storage.tables.conversations import Press

ABANDONED_AFTER = timedelta(minutes=2)
"""When an act that has not ended in another process may be done again: no act takes so long."""


async def claim(session: AsyncSession, press: Press) -> Press | None:
    """None if the act is to be done, in ``press.locked_by``; otherwise the press for which it is done already.

    It is to be done for the first press of this tenant, stamp and verb, and for another one if the process of the
    first has not ended it: after ``ABANDONED_AFTER``, or on SQLite, which one process uses, without waiting.
    """
    is_unfinished = col(Press.locked_by).not_in(("", press.locked_by))
    is_old = true() if is_sqlite(session) else col(Press.at) <= press.at - ABANDONED_AFTER
    query = upsert(session, Press, ("pressed_by", "at", "locked_by"), where=and_(is_unfinished, is_old))
    query = query.values(**press.model_dump())
    if (await session.exec(query.returning(col(Press.stamp)))).first() is not None:  # not every driver counts rows
        return None
    return await session.get(Press, (press.owner_tenant, press.stamp, press.verb))


async def finish(session: AsyncSession, press: Press) -> None:
    """The act of the press has ended, unless another process has taken it over."""
    await session.exec(update(Press).where(*_same(press)).values(locked_by=""))


async def release(session: AsyncSession, press: Press) -> None:
    """Forget the press, so that the button can be pressed again, unless another process has taken it over."""
    await session.exec(delete(Press).where(*_same(press)))


def _same(press: Press) -> list[Any]:
    names = ("owner_tenant", "stamp", "verb", "locked_by")
    return [col(getattr(Press, name)) == getattr(press, name) for name in names]


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete presses before then: a card that old is not pressed again."""
    await session.exec(delete(Press).where(col(Press.at) < before))
