"""Events received, calls that ended and unknown states: what is kept for a while to deduplicate and to report."""

from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import read_rows
from storage.tables.people import Call, SeenEvent, UnknownState

MAX_UNKNOWN_STATES = 50
"""Names come from outside: no more different ones than this are kept for an integration."""


_UNKNOWN_STATES = select(UnknownState.name, UnknownState.count).where(
    UnknownState.integration_id == bindparam("integration_id")
)


async def list_unknown_states(session: AsyncSession, integration_id: str) -> list[tuple[str, int]]:
    """Name and count, the most frequent first."""
    found = await read_rows(session, _UNKNOWN_STATES, integration_id=integration_id)
    return sorted(((name, count) for name, count in found), key=lambda pair: (-pair[1], pair[0]))


async def delete_seen(session: AsyncSession, before: datetime) -> None:
    """Delete events seen before then."""
    await session.exec(delete(SeenEvent).where(col(SeenEvent.seen_at) < before))


async def delete_ended_calls(session: AsyncSession, before: datetime, ended: str) -> None:
    """Delete calls in the state ``ended`` whose last event was received before then."""
    await session.exec(delete(Call).where(col(Call.state) == ended, col(Call.heard_at) < before))
