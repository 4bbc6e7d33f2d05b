"""Everyone who is cleared when the hours of an integration end, and shown again when they begin."""

from datetime import datetime

from sqlalchemy import case, or_
from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Person


async def clear_shown(session: AsyncSession, integration_id: str, because: str, now: datetime) -> None:
    """Have every presence cleared that Teams shows, or may show, from us."""
    shown = update(Person).where(col(Person.integration_id) == integration_id, col(Person.applied).is_not(None))
    await session.exec(shown.values(due_at=now, desired_because=because))


async def show_again(
    session: AsyncSession, integration_id: str, because: str, now: datetime, stale: datetime
) -> None:
    """Have everyone sent of whom something is desired, as of now unless it was last heard of before ``stale``."""
    is_recent = or_(col(Person.heard_at) >= stale, col(Person.desired_at) >= stale)
    desired = update(Person).where(col(Person.integration_id) == integration_id, col(Person.desired).is_not(None))
    values = {"due_at": now, "desired_at": case((is_recent, now), else_=col(Person.desired_at))}
    await session.exec(desired.values(**values, desired_because=because))
