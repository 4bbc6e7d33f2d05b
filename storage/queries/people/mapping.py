"""People whose presence follows from another mapping of line states: counted, listed and changed in sets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, case, func, literal, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.integrations import Integration
from storage.tables.people import Person

Presences = Mapping[str, str | None]
"""What Teams should show for each line state that is mapped; None for nothing."""


Concerned = tuple[str, str, str | None, str | None]
"""A person's name and line state, what Teams should show before, and what after."""


def _desired(presences: Presences) -> ColumnElement[str | None]:
    shows = {line: literal(presence, String) for line, presence in presences.items()}
    return case(shows, value=col(Person.line))


def _differs(integration_id: str, presences: Presences) -> list[ColumnElement[bool]]:
    return [
        col(Person.integration_id) == integration_id,
        col(Person.line).in_(presences),
        col(Person.desired).is_distinct_from(_desired(presences)),
    ]


async def concerned(
    session: AsyncSession, integration: Integration, presences: Presences, limit: int
) -> tuple[int, list[Concerned]]:
    """How many people would be shown differently now, and the first of them by name; none while it is disabled."""
    if not integration.enabled:
        return 0, []
    shown = [
        *_differs(integration.id, presences),
        col(Person.teams_user_id).is_not(None),
        col(Person.excluded).is_(False),
        col(Person.gone).is_(False),
    ]
    count = (await session.exec(select(func.count()).select_from(Person).where(*shown))).one()
    columns = (col(Person.name), col(Person.line), col(Person.desired), _desired(presences))
    query = select(*columns).where(*shown).order_by(col(Person.name), col(Person.id)).limit(limit)
    return count, [(name, line, before, after) for name, line, before, after in await session.exec(query)]


async def apply(
    session: AsyncSession,
    integration: Integration,
    presences: Presences,
    because: str,
    now: datetime,
    stale: datetime,
) -> None:
    """Store what Teams should show of everyone in these line states.

    One statement, in the transaction that stores the mapping: neither is stored without the other. Who changed is
    due if the integration is enabled. A state that was last heard of before ``stale`` does not become newer.
    """
    is_recent = or_(col(Person.heard_at) >= stale, col(Person.desired_at) >= stale)
    values: dict[str, Any] = {
        "desired": _desired(presences),
        "desired_at": case((is_recent, now), else_=col(Person.desired_at)),
        "desired_because": because,
    }
    if integration.enabled:
        is_sent = or_(col(Person.teams_user_id).is_not(None), col(Person.applied).is_not(None))
        values["due_at"] = case((is_sent, now), else_=col(Person.due_at))
    edit = update(Person).where(*_differs(integration.id, presences)).values(values)
    await session.exec(edit.execution_options(synchronize_session=False))
