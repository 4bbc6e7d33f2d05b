"""Events received, calls that ended and unknown states: what is kept for a while to deduplicate and to report."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import insert_or_ignore
from storage.tables.people import Call, SeenEvent, UnknownState


async def mark_seen(
    session: AsyncSession, names: Collection[tuple[str, str]], now: datetime
) -> set[tuple[str, str]]:
    """Store these events, each by its integration's id and its own; returns those that are new."""
    if not names:
        return set()
    rows = [{"integration_id": key, "event_id": event_id, "seen_at": now} for key, event_id in sorted(names)]
    added = insert_or_ignore(session, SeenEvent).returning(SeenEvent.integration_id, SeenEvent.event_id)
    return {(key, event_id) for key, event_id in await (await session.connection()).execute(added, rows)}


MAX_UNKNOWN_STATES = 50
"""Names come from outside: no more different ones than this are kept for an integration."""


async def add_unknown_states(
    session: AsyncSession, integration_id: str, counts: Mapping[str, int], now: datetime
) -> None:
    """Add ``counts`` (by state name) to the integration's unknown states."""
    known = {row.name: row for row in await _unknown_rows(session, integration_id)}
    for name, count in counts.items():
        row = known.get(name)
        if row is None:
            if len(known) >= MAX_UNKNOWN_STATES:
                continue
            row = known[name] = UnknownState(integration_id=integration_id, name=name, last_at=now)
            session.add(row)
        row.count += count
        row.last_at = now


async def list_unknown_states(session: AsyncSession, integration_id: str) -> list[tuple[str, int]]:
    """Name and count, the most frequent first."""
    rows = await _unknown_rows(session, integration_id)
    return sorted(((row.name, row.count) for row in rows), key=lambda pair: (-pair[1], pair[0]))


async def _unknown_rows(session: AsyncSession, integration_id: str) -> list[UnknownState]:
    query = select(UnknownState).where(UnknownState.integration_id == integration_id)
    return list((await session.exec(query)).all())


async def delete_seen(session: AsyncSession, before: datetime) -> None:
    """Delete events seen before then."""
    await session.exec(delete(SeenEvent).where(col(SeenEvent.seen_at) < before))


async def delete_ended_calls(session: AsyncSession, before: datetime, ended: str) -> None:
    """Delete calls in the state ``ended`` whose last event was received before then."""
    await session.exec(delete(Call).where(col(Call.state) == ended, col(Call.heard_at) < before))
