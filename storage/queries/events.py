"""Events received, calls that ended and unknown states: what is kept for a while to deduplicate and to report."""

from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Call, SeenEvent, UnknownState

MAX_UNKNOWN_STATES = 50
"""Names come from outside: no more different ones than this are kept for an integration."""


async def list_unknown_states(session: AsyncSession, integration_id: str) -> list[tuple[str, int]]:
    """Name and count, the most frequent first."""
    query = select(UnknownState).where(UnknownState.integration_id == integration_id)
    rows = (await session.exec(query)).all()
    return sorted(((row.name, row.count) for row in rows), key=lambda pair: (-pair[1], pair[0]))


async def delete_seen(session: AsyncSession, before: datetime) -> None:
    """Delete events seen before then."""
    await session.exec(delete(SeenEvent).where(col(SeenEvent.seen_at) < before))


async def delete_ended_calls(session: AsyncSession, before: datetime, ended: str) -> None:
    """Delete calls in the state ``ended`` whose last event was received before then."""
    await session.exec(delete(Call).where(col(Call.state) == ended, col(Call.heard_at) < before))
