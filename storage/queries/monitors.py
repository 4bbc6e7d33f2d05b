"""Presence monitors of the other direction, and which of them still hold a secret that was replaced."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import in_turn
from storage.tables.history import HistoryEntry
from storage.tables.rotations import Monitor, MonitorTask, Rotation

MOST = 50
"""More monitors than this are not listed for an integration."""


@dataclass(frozen=True, slots=True)
class Task:
    """A monitor that is to be given the new secret: open while ``done_at`` is None."""

    monitor_id: str
    name: str
    done_by: str
    done_at: datetime | None


async def listed(session: AsyncSession, owner_tenant: str, integration_id: str) -> list[Monitor]:
    """The integration's monitors, by name."""
    query = select(Monitor).where(Monitor.owner_tenant == owner_tenant, Monitor.integration_id == integration_id)
    return sorted((await session.exec(query)).all(), key=lambda monitor: (monitor.name.casefold(), monitor.id))


async def add(
    session: AsyncSession, owner_tenant: str, integration_id: str, names: Sequence[str], now: datetime
) -> list[str]:
    """List those of ``names`` that are not yet, as far as there is room; returns the names added."""
    await in_turn(session, "monitors", integration_id)
    known = {monitor.name.casefold() for monitor in await listed(session, owner_tenant, integration_id)}
    added: list[str] = []
    for name in names:
        if name.casefold() in known or len(known) >= MOST:
            continue
        known.add(name.casefold())
        added.append(name)
    session.add_all(
        Monitor(owner_tenant=owner_tenant, integration_id=integration_id, name=name, created_at=now)
        for name in added
    )
    return added


async def remove(
    session: AsyncSession, owner_tenant: str, integration_id: str, monitor_ids: Collection[str]
) -> list[str]:
    """Drop monitors with their tasks; foreign ids do nothing. Returns the names of those dropped."""
    wanted = [one for one in await listed(session, owner_tenant, integration_id) if one.id in monitor_ids]
    gone = [monitor.id for monitor in wanted]
    await session.exec(delete(MonitorTask).where(col(MonitorTask.monitor_id).in_(gone)))
    await session.exec(delete(Monitor).where(col(Monitor.id).in_(gone)))
    return [monitor.name for monitor in wanted]


async def last_rotation(session: AsyncSession, owner_tenant: str, integration_id: str) -> Rotation | None:
    """The integration's last rotation that came to a good end."""
    query = (
        select(Rotation)
        .where(
            Rotation.owner_tenant == owner_tenant,
            Rotation.integration_id == integration_id,
            Rotation.fault == "",
            col(Rotation.finished_at).is_not(None),
        )
        .order_by(col(Rotation.finished_at).desc(), col(Rotation.id))
    )
    return (await session.exec(query)).first()


async def is_answered(session: AsyncSession, rotation: Rotation, answers: Collection[str]) -> bool:
    """Whether somebody said if the monitors hold the replaced secret: ``answers`` are the acts that say so."""
    said = select(HistoryEntry).where(
        HistoryEntry.owner_tenant == rotation.owner_tenant,
        HistoryEntry.integration_id == rotation.integration_id,
        col(HistoryEntry.act).in_(answers),
    )
    return any(act.facts.get("rotation") == rotation.id for act in (await session.exec(said)).all())


async def ask_for(session: AsyncSession, owner_tenant: str, integration_id: str, rotation_id: str) -> int:
    """Open a task for every monitor of the integration; those there are already stay. Returns how many are new."""
    await in_turn(session, "monitors", integration_id)
    query = select(MonitorTask.monitor_id).where(MonitorTask.rotation_id == rotation_id)
    known = set((await session.exec(query)).all())
    monitors = [one for one in await listed(session, owner_tenant, integration_id) if one.id not in known]
    session.add_all(
        MonitorTask(rotation_id=rotation_id, monitor_id=monitor.id, integration_id=integration_id)
        for monitor in monitors
    )
    return len(monitors)


async def tasks(session: AsyncSession, owner_tenant: str, integration_id: str) -> list[Task]:
    """What is to be done for each monitor, of its newest rotation; by name."""
    query = (
        select(MonitorTask, Monitor, Rotation)
        .where(
            MonitorTask.monitor_id == Monitor.id,
            MonitorTask.rotation_id == Rotation.id,
            Monitor.owner_tenant == owner_tenant,
            MonitorTask.integration_id == integration_id,
        )
        .order_by(col(Rotation.started_at), col(Rotation.id))
    )
    newest = {task.monitor_id: (task, monitor) for task, monitor, _ in (await session.exec(query)).all()}
    found = [Task(task.monitor_id, monitor.name, task.done_by, task.done_at) for task, monitor in newest.values()]
    return sorted(found, key=lambda task: (task.name.casefold(), task.monitor_id))


async def tick(
    session: AsyncSession,
    owner_tenant: str,
    integration_id: str,
    monitor_ids: Collection[str],
    by: str,
    now: datetime,
) -> list[str]:
    """Mark these monitors as renewed; who was first stays. Returns the names of those that were open."""
    ticked = [
        task
        for task in await tasks(session, owner_tenant, integration_id)
        if task.monitor_id in monitor_ids and task.done_at is None
    ]
    await session.exec(
        update(MonitorTask)
        .where(
            col(MonitorTask.integration_id) == integration_id,
            col(MonitorTask.monitor_id).in_([task.monitor_id for task in ticked]),
            col(MonitorTask.done_at).is_(None),
        )
        .values(done_by=by, done_at=now)
    )
    return [task.name for task in ticked]


async def count_open(session: AsyncSession, integration_id: str) -> int:
    """How many monitors still hold a secret that was replaced."""
    query = select(func.count(func.distinct(MonitorTask.monitor_id))).where(
        col(MonitorTask.integration_id) == integration_id, col(MonitorTask.done_at).is_(None)
    )
    return (await session.exec(query)).one()
