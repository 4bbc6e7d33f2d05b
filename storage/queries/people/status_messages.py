"""Whose status message is to be checked."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Person


async def make_due(session: AsyncSession, integration_id: str, lines: Collection[str], now: datetime) -> None:
    """Have the status message of everyone checked who shows one of ours, or is in one of these line states."""
    concerned = or_(col(Person.status_message) != "", col(Person.line).in_(lines), col(Person.desired).is_not(None))
    of_it = update(Person).where(col(Person.integration_id) == integration_id, concerned)
    await session.exec(of_it.values(status_due_at=now))
