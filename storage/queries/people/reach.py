"""Who could newly be shown in Teams, or not any more, within a time; and whom Graph refuses."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, not_, or_
from sqlalchemy import select as columns
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.hidden import can_be_shown, is_shown
from storage.tables.integrations import Integration
from storage.tables.people import Person

Some = tuple[int, tuple[str, ...]]
"""How many people, and the names of the first few."""


class Changed(NamedTuple):
    left_out: Some
    shown: Some


async def changed_since(
    session: AsyncSession, integration_id: str, since: datetime, until: datetime, names: int
) -> Changed:
    """Who can be shown, and who cannot, since a moment in this time; at most ``names`` names of each."""
    within = and_(
        col(Person.integration_id) == integration_id,
        col(Person.gone).is_(False),
        col(Person.reach_changed_at) >= since,
        col(Person.reach_changed_at) < until,
    )
    is_matched = and_(col(Person.teams_user_id).is_not(None), col(Person.unmatched).is_(None))
    return Changed(
        await _some(session, and_(within, not_(is_matched)), names),
        await _some(session, and_(within, can_be_shown(), is_shown()), names),
    )


async def refused_since(
    session: AsyncSession, integration_id: str, since: datetime, until: datetime, names: int
) -> Some:
    """Whom Graph has refused since a moment in this time."""
    within = and_(
        col(Person.integration_id) == integration_id,
        col(Person.gone).is_(False),
        col(Person.refusal) != "",
        col(Person.refused_since) >= since,
        col(Person.refused_since) < until,
    )
    return await _some(session, within, names)


async def refusals_in_a_row(session: AsyncSession, integration_id: str, limit: int) -> Sequence[str]:
    """At most ``limit`` refusals of people whom Graph has refused since it last accepted anyone's presence."""
    accepted_at = col(Integration.accepted_at)
    query = (
        select(Person.refusal)
        .join(Integration, col(Integration.id) == col(Person.integration_id))
        .where(
            Person.integration_id == integration_id,
            col(Person.gone).is_(False),
            Person.refusal != "",
            or_(accepted_at.is_(None), col(Person.refused_since) > accepted_at),
        )
        .order_by(col(Person.refused_since).desc())
        .limit(limit)
    )
    return (await session.exec(query)).all()


async def _some(session: AsyncSession, where: ColumnElement[bool], names: int) -> Some:
    count = (await session.exec(select(func.count()).select_from(Person).where(where))).one()
    if not count:
        return 0, ()
    query = columns(col(Person.name)).where(where).order_by(col(Person.search), col(Person.id)).limit(names)
    rows: Sequence[str] = (await (await session.connection()).execute(query)).scalars().all()
    return count, tuple(rows)
