"""Everyone who is cleared when the hours of an integration end, and shown again when they begin."""

from datetime import datetime

from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Person


async def clear_shown(session: AsyncSession, integration_id: str, because: str, now: datetime) -> None:
    """Have every presence cleared that Teams shows, or may show, from us."""
    shown = update(Person).where(col(Person.integration_id) == integration_id, col(Person.applied).is_not(None))
    await session.exec(shown.values(due_at=now, desired_because=because))


async def show_again(session: AsyncSession, integration_id: str, because: str, now: datetime) -> None:
    """Have everyone sent of whom something is desired, as of now."""
    desired = update(Person).where(col(Person.integration_id) == integration_id, col(Person.desired).is_not(None))
    await session.exec(desired.values(due_at=now, desired_at=now, desired_because=because))
