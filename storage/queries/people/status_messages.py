"""Who is concerned in Teams, and whose status message is to be checked."""

from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Person

QUIET_LINES = ("unknown", "idle", "offline")
"""The states of a line for which Teams shows nothing."""


def is_concerned() -> ColumnElement[bool]:
    """Whether Teams shows something of a person from us, or may have to: a presence, or a message for the line."""
    is_shown = or_(col(Person.applied).is_not(None), col(Person.status_message) != "")
    return or_(is_shown, col(Person.desired).is_not(None), col(Person.line).not_in(QUIET_LINES))


async def make_due(session: AsyncSession, integration_id: str, now: datetime) -> None:
    """Have the status message of everyone checked who is concerned."""
    of_it = update(Person).where(col(Person.integration_id) == integration_id, is_concerned())
    await session.exec(of_it.values(status_due_at=now))
