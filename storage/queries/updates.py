"""Installations of feature updates, a row for each; those started together have the same ``started_at``."""

from datetime import datetime

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import for_update
from storage.tables.updates import FeatureUpdate

WAITING, RUNNING, ROLLING_BACK = "waiting", "running", "rolling_back"
COMPLETED, FAILED, UNDONE = "completed", "failed", "undone"
OPEN = (WAITING, RUNNING, ROLLING_BACK)


async def get_for_update(session: AsyncSession, update_id: str) -> FeatureUpdate | None:
    """The installation, locked until the session ends."""
    query = select(FeatureUpdate).where(FeatureUpdate.id == update_id)
    return (await session.exec(for_update(query))).first()


async def list_open(session: AsyncSession, integration_id: str) -> list[FeatureUpdate]:
    """Updates that are being installed or rolled back now, by version."""
    query = (
        select(FeatureUpdate)
        .where(FeatureUpdate.integration_id == integration_id, col(FeatureUpdate.state).in_(OPEN))
        .order_by(col(FeatureUpdate.version))
    )
    return list((await session.exec(query)).all())


async def list_newest(session: AsyncSession, integration_id: str) -> list[FeatureUpdate]:
    """The updates started last, by version; empty when none was ever installed."""
    ours = select(FeatureUpdate).where(FeatureUpdate.integration_id == integration_id)
    last = (await session.exec(ours.order_by(col(FeatureUpdate.started_at).desc()).limit(1))).first()
    if last is None:
        return []
    query = ours.where(FeatureUpdate.started_at == last.started_at).order_by(col(FeatureUpdate.version))
    return list((await session.exec(query)).all())


async def find_installed(session: AsyncSession, integration_id: str, version: int) -> FeatureUpdate | None:
    """The installation that gave the integration this version, if there was one."""
    query = (
        select(FeatureUpdate)
        .where(
            FeatureUpdate.integration_id == integration_id,
            FeatureUpdate.version == version,
            FeatureUpdate.state == COMPLETED,
        )
        .order_by(col(FeatureUpdate.started_at).desc())
    )
    return (await session.exec(query)).first()


async def list_unfinished(session: AsyncSession, ended_after: datetime) -> list[FeatureUpdate]:
    """Every installation with steps to do, and those ended after ``ended_after`` whose cards do not show it yet."""
    is_recent = col(FeatureUpdate.finished_at) > ended_after
    query = select(FeatureUpdate).where(or_(col(FeatureUpdate.state).in_(OPEN), is_recent))
    return [row for row in (await session.exec(query)).all() if row.state in OPEN or row.cards]
