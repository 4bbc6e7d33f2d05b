"""Problems of integrations: at most one open row for each integration, service and fault."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import read_rows
from storage.queries import integrations
from storage.tables.problems import Problem

_OPEN = select(Problem).where(col(Problem.healed_at).is_(None)).order_by(col(Problem.since), col(Problem.id))
_LAST_HEALED = select(func.max(Problem.healed_at)).where(
    Problem.integration_id == bindparam("integration_id"),
    col(Problem.service).in_(bindparam("services", expanding=True)),
)
_OPEN_OF_ONE = _OPEN.where(Problem.integration_id == bindparam("integration_id"))
"""Built once: building it takes longer than running it."""


async def list_open(session: AsyncSession, integration_id: str) -> list[Problem]:
    """The integration's open problems, oldest first."""
    return list((await session.exec(_OPEN_OF_ONE, params={"integration_id": integration_id})).all())


async def open_by_integration(session: AsyncSession) -> Mapping[str, list[Problem]]:
    """All open problems, by integration; each one's oldest first."""
    return grouped((await session.exec(_OPEN)).all(), lambda row: row.integration_id)


async def integrations_with_open(session: AsyncSession, service: str) -> set[str]:
    """The integrations that have an open problem of this service."""
    query = select(Problem.integration_id).where(Problem.service == service, col(Problem.healed_at).is_(None))
    return set((await session.exec(query)).all())


async def open_or_closed_since(
    session: AsyncSession, integration_ids: Collection[str], since: datetime
) -> Mapping[str, list[Problem]]:
    """The problems of each of these integrations that are open, or were closed after ``since``."""
    query = select(Problem).where(
        col(Problem.integration_id).in_(integration_ids),
        or_(col(Problem.healed_at).is_(None), col(Problem.healed_at) >= since),
    )
    return grouped((await session.exec(query)).all(), lambda row: row.integration_id)


async def last_healed(session: AsyncSession, integration_id: str, services: Collection[str]) -> datetime | None:
    """When the newest of the integration's ended problems with these services ended, None without one."""
    ((at,),) = await read_rows(session, _LAST_HEALED, integration_id=integration_id, services=[*services])
    return cast(datetime | None, at)


async def upsert_open(
    session: AsyncSession,
    integration_id: str,
    service: str,
    fault: str,
    facts: dict[str, Any],
    lasting: bool,
    now: datetime,
) -> bool:
    """Open the problem; True when it is new. If it is open already, it is marked as checked at ``now``."""
    await integrations.get_for_update(session, integration_id)
    for problem in await list_open(session, integration_id):
        if problem.fault == fault and problem.service == service:
            problem.checked_at, problem.facts, problem.lasting = now, facts, lasting
            return False
    session.add(
        Problem(
            integration_id=integration_id,
            service=service,
            fault=fault,
            facts=facts,
            lasting=lasting,
            since=now,
            checked_at=now,
        )
    )
    return True


async def close_open(
    session: AsyncSession, integration_id: str, services: Collection[str], now: datetime
) -> list[Problem]:
    """Close the integration's open problems of these services; returns those that were open."""
    closed = [problem for problem in await list_open(session, integration_id) if problem.service in services]
    for problem in closed:
        problem.healed_at = now
    return closed
