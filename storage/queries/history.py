"""The audit log: who did what to the integrations, when, with which result. It outlives them; never a secret."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from storage.tables.history import Act

LONGEST = 120
"""Names come from outside: this many characters of one are kept."""
BATCH = 500


async def record(
    session: AsyncSession,
    *,
    owner_tenant: str,
    integration_id: str,
    integration_name: str,
    actor_id: str,
    actor_name: str,
    act: str,
    result: str,
    facts: dict[str, Any],
    now: datetime,
) -> None:
    """Store an act. ``result`` is ``done`` or a fault's key; ``facts`` are short and harmless, never secrets."""
    session.add(
        Act(
            owner_tenant=owner_tenant,
            integration_id=integration_id,
            integration_name=integration_name[:LONGEST],
            actor_id=actor_id[:LONGEST],
            actor_name=actor_name[:LONGEST],
            act=act,
            result=result,
            facts=facts,
            at=now,
        )
    )


async def page(
    session: AsyncSession, owner_tenant: str, offset: int, limit: int, integration_id: str = ""
) -> list[Act]:
    """The tenant's acts, newest first; with ``integration_id`` only those of that integration."""
    return list((await session.exec(_acts(owner_tenant, integration_id).offset(offset).limit(limit))).all())


async def count(session: AsyncSession, owner_tenant: str, integration_id: str = "") -> int:
    """How many acts ``page`` can return in all."""
    acts = _acts(owner_tenant, integration_id).order_by(None).subquery()
    return (await session.exec(select(func.count()).select_from(acts))).one()


async def latest(
    session: AsyncSession, owner_tenant: str, integration_id: str, acts: Collection[str]
) -> Act | None:
    """The newest of these ``acts`` on an integration that did not fail."""
    query = _acts(owner_tenant, integration_id).where(col(Act.result) == DONE, col(Act.act).in_(acts)).limit(1)
    return (await session.exec(query)).first()


async def latest_by_integration(
    session: AsyncSession, owner_tenants: Collection[str], integration_ids: Collection[str], acts: Collection[str]
) -> dict[tuple[str, str], Act]:
    """``latest`` for many integrations, by tenant and integration."""
    place = func.row_number().over(
        partition_by=(col(Act.owner_tenant), col(Act.integration_id)), order_by=_NEWEST_FIRST
    )
    places = (
        select(Act.id, place.label("place"))
        .where(
            col(Act.owner_tenant).in_(owner_tenants),
            col(Act.integration_id).in_(integration_ids),
            Act.result == DONE,
            col(Act.act).in_(acts),
        )
        .subquery()
    )
    query = select(Act).join(places, col(Act.id) == places.c.id).where(places.c.place == 1)
    return {(act.owner_tenant, act.integration_id): act for act in (await session.exec(query)).all()}


async def iterate_all(session: AsyncSession, owner_tenant: str, integration_id: str = "") -> AsyncIterator[Act]:
    """Every act, newest first, read in batches."""
    offset = 0
    while acts := await page(session, owner_tenant, offset, BATCH, integration_id):
        for act in acts:
            yield act
        offset += BATCH


DONE = "done"
_NEWEST_FIRST = (col(Act.at).desc(), col(Act.id))


def _acts(owner_tenant: str, integration_id: str) -> SelectOfScalar[Act]:
    query = select(Act).where(Act.owner_tenant == owner_tenant)
    if integration_id:
        query = query.where(Act.integration_id == integration_id)
    return query.order_by(*_NEWEST_FIRST)
