"""Rotations of credentials: at most one open for each integration."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import for_update
from storage.tables.rotations import Rotation


async def get_open(session: AsyncSession, integration_id: str) -> Rotation | None:
    query = select(Rotation).where(Rotation.integration_id == integration_id, col(Rotation.finished_at).is_(None))
    return (await session.exec(query)).first()


async def get_owned(session: AsyncSession, owner_tenant: str, rotation_id: str) -> Rotation | None:
    """None for a rotation that is gone, or another tenant's."""
    query = select(Rotation).where(Rotation.id == rotation_id, Rotation.owner_tenant == owner_tenant)
    return (await session.exec(query)).first()


async def get_for_update(session: AsyncSession, rotation_id: str) -> Rotation | None:
    """The rotation, locked until the session ends."""
    return (await session.exec(for_update(select(Rotation).where(Rotation.id == rotation_id)))).first()


async def latest(session: AsyncSession, integration_id: str, kind: str = "") -> Rotation | None:
    """The rotation started last, of this kind if one is named."""
    query = select(Rotation).where(Rotation.integration_id == integration_id)
    if kind:
        query = query.where(Rotation.kind == kind)
    return (await session.exec(query.order_by(col(Rotation.started_at).desc()))).first()


async def by_integration(session: AsyncSession, integration_ids: Collection[str]) -> Mapping[str, list[Rotation]]:
    query = select(Rotation).where(col(Rotation.integration_id).in_(integration_ids))
    return grouped((await session.exec(query)).all(), lambda row: row.integration_id)


_DUE = select(Rotation.integration_id).where(
    col(Rotation.finished_at).is_(None), col(Rotation.due_at) <= bindparam("now")
)


async def integrations_with_due(session: AsyncSession, now: datetime) -> list[str]:
    """The integrations whose rotation can continue now."""
    return list((await session.exec(_DUE, params={"now": now})).all())


async def cancel_open(session: AsyncSession, integration_id: str, now: datetime) -> None:
    """End an open rotation with the fault ``edited``: an administrator replaced its credentials."""
    is_open = col(Rotation.integration_id) == integration_id, col(Rotation.finished_at).is_(None)
    ended = {"finished_at": now, "due_at": None, "secret_sealed": None, "fault": "edited"}
    await session.exec(update(Rotation).where(*is_open).values(**ended))
