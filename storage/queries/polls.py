"""The current round of polling of each integration."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.polls import PollChunk


async def begin(
    session: AsyncSession, integration_id: str, chunks: Sequence[Sequence[str]], began_at: datetime, *, whole: bool
) -> None:
    """Begin a round that reads ``chunks`` in this order, in place of the current one."""
    await clear(session, integration_id)
    session.add_all(
        PollChunk(
            integration_id=integration_id, position=place, extensions=list(chunk), began_at=began_at, whole=whole
        )
        for place, chunk in enumerate(chunks)
    )


_NEXT = (
    select(PollChunk)
    .where(PollChunk.integration_id == bindparam("integration_id"))
    .order_by(col(PollChunk.position))
    .limit(1)
)


async def next_chunk(session: AsyncSession, integration_id: str) -> PollChunk | None:
    """The chunk to read next; None when no round is under way."""
    return (await session.exec(_NEXT, params={"integration_id": integration_id})).first()


async def postpone(session: AsyncSession, chunk: PollChunk) -> None:
    """Have the other chunks of the round read before this one."""
    last = select(func.max(PollChunk.position)).where(PollChunk.integration_id == chunk.integration_id)
    if current := await _current(session, chunk):
        current.position = ((await session.exec(last)).one() or 0) + 1


async def remove(session: AsyncSession, chunk: PollChunk) -> bool:
    """The chunk was read. Returns whether its round is still the current one; nothing changes if not."""
    current = await _current(session, chunk)
    if current:
        await session.delete(current)
        await session.flush()
    return current is not None


async def clear(session: AsyncSession, integration_id: str) -> None:
    """End the round that is under way, if one is."""
    await session.exec(delete(PollChunk).where(col(PollChunk.integration_id) == integration_id))


async def _current(session: AsyncSession, chunk: PollChunk) -> PollChunk | None:
    row = await session.get(PollChunk, (chunk.integration_id, chunk.position))
    return row if row and row.began_at == chunk.began_at else None
