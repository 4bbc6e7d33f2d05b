"""The audit log: who did what to the integrations, when, with which result. It outlives them; never a secret."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from storage.tables.history import HistoryEntry

MAX_NAME = 120
"""Names come from outside: this many characters of one are kept."""

DONE = "done"


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
        HistoryEntry(
            owner_tenant=owner_tenant,
            integration_id=integration_id,
            integration_name=integration_name[:MAX_NAME],
            actor_id=actor_id[:MAX_NAME],
            actor_name=actor_name[:MAX_NAME],
            act=act,
            result=result,
            facts=facts,
            at=now,
        )
    )


async def page(
    session: AsyncSession, owner_tenant: str, offset: int, limit: int, integration_id: str = ""
) -> list[HistoryEntry]:
    """The tenant's acts, newest first; with ``integration_id`` only those of that integration."""
    return list((await session.exec(_acts(owner_tenant, integration_id).offset(offset).limit(limit))).all())


async def count(session: AsyncSession, owner_tenant: str, integration_id: str = "") -> int:
    """How many acts ``page`` can return in all."""
    acts = _acts(owner_tenant, integration_id).order_by(None).subquery()
    return (await session.exec(select(func.count()).select_from(acts))).one()


async def latest(
    session: AsyncSession, owner_tenant: str, integration_id: str, acts: Collection[str]
) -> HistoryEntry | None:
    """The newest of these ``acts`` on an integration that did not fail."""
    return next(iter(await newest(session, owner_tenant, integration_id, acts, 1)), None)


async def newest(
    session: AsyncSession, owner_tenant: str, integration_id: str, acts: Collection[str], limit: int
) -> list[HistoryEntry]:
    """As many as ``limit`` of these ``acts`` on an integration that did not fail, the newest first."""
    query = (
        _acts(owner_tenant, integration_id)
        .where(col(HistoryEntry.result) == DONE, col(HistoryEntry.act).in_(acts))
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def last_act(session: AsyncSession, integration_id: str, act: str) -> HistoryEntry | None:
    """The newest ``act`` on an integration, which may be gone by now, that did not fail."""
    query = select(HistoryEntry).where(
        HistoryEntry.integration_id == integration_id, HistoryEntry.act == act, HistoryEntry.result == DONE
    )
    return (await session.exec(query.order_by(*_NEWEST_FIRST).limit(1))).first()


async def has_since(session: AsyncSession, owner_tenant: str, act: str, result: str, since: datetime) -> bool:
    """Whether an act with this result was recorded for the tenant after ``since``."""
    query = _acts(owner_tenant, "").where(
        HistoryEntry.act == act, HistoryEntry.result == result, col(HistoryEntry.at) > since
    )
    return (await session.exec(query.limit(1))).first() is not None


async def latest_by_integration(
    session: AsyncSession, owner_tenants: Collection[str], integration_ids: Collection[str], acts: Collection[str]
) -> dict[tuple[str, str], HistoryEntry]:
    """``latest`` for many integrations, by tenant and integration."""
    rank = func.row_number().over(
        partition_by=(col(HistoryEntry.owner_tenant), col(HistoryEntry.integration_id)), order_by=_NEWEST_FIRST
    )
    ranked = (
        select(HistoryEntry.id, rank.label("rank"))
        .where(
            col(HistoryEntry.owner_tenant).in_(owner_tenants),
            col(HistoryEntry.integration_id).in_(integration_ids),
            HistoryEntry.result == DONE,
            col(HistoryEntry.act).in_(acts),
        )
        .subquery()
    )
    query = select(HistoryEntry).join(ranked, col(HistoryEntry.id) == ranked.c.id).where(ranked.c.rank == 1)
    return {(act.owner_tenant, act.integration_id): act for act in (await session.exec(query)).all()}


async def slice_after(
    session: AsyncSession, owner_tenant: str, integration_id: str, last: HistoryEntry | None, limit: int
) -> list[HistoryEntry]:
    """The next ``limit`` acts after ``last``, newest first: other sessions continue the list, whatever is added."""
    query = _acts(owner_tenant, integration_id).limit(limit)
    if last:
        is_older = and_(col(HistoryEntry.at) == last.at, col(HistoryEntry.id) > last.id)
        query = query.where(or_(col(HistoryEntry.at) < last.at, is_older))
    return list((await session.exec(query)).all())


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete acts before then."""
    await session.exec(delete(HistoryEntry).where(col(HistoryEntry.at) < before))


_NEWEST_FIRST = (col(HistoryEntry.at).desc(), col(HistoryEntry.id))


def _acts(owner_tenant: str, integration_id: str) -> SelectOfScalar[HistoryEntry]:
    query = select(HistoryEntry).where(HistoryEntry.owner_tenant == owner_tenant)
    if integration_id:
        query = query.where(HistoryEntry.integration_id == integration_id)
    return query.order_by(*_NEWEST_FIRST)
