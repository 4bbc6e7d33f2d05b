"""Presence monitors of the other direction, and those that still have a secret which was replaced."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock, read_rows
from storage.tables.history import HistoryEntry
from storage.tables.rotations import Monitor, MonitorTask, Rotation

MAX_MONITORS = 50
"""Of an integration."""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A monitor that must receive the new secret: open while ``done_at`` is None."""

    monitor_id: str
    name: str
    done_by: str
    done_at: datetime | None


async def list_owned(session: AsyncSession, owner_tenant: str, integration_id: str) -> list[Monitor]:
    """The integration's monitors, by name."""
    query = select(Monitor).where(Monitor.owner_tenant == owner_tenant, Monitor.integration_id == integration_id)
    return sorted((await session.exec(query)).all(), key=lambda monitor: (monitor.name.casefold(), monitor.id))


async def exist(session: AsyncSession, integration_id: str) -> bool:
    """Whether any monitor of the integration may be using its secret."""
    query = select(Monitor.id).where(Monitor.integration_id == integration_id).limit(1)
    return (await session.exec(query)).first() is not None


async def add(
    session: AsyncSession, owner_tenant: str, integration_id: str, names: Sequence[str], now: datetime
) -> list[str]:
    """Add those of ``names`` that are new, up to ``MAX_MONITORS`` in all; returns the names added."""
    await advisory_lock(session, "monitors", integration_id)
    known = {monitor.name.casefold() for monitor in await list_owned(session, owner_tenant, integration_id)}
    added: list[str] = []
    for name in names:
        if name.casefold() in known or len(known) >= MAX_MONITORS:
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
    """Delete monitors with their tasks; other tenants' ids do nothing. Returns the deleted names."""
    wanted = [one for one in await list_owned(session, owner_tenant, integration_id) if one.id in monitor_ids]
    gone = [monitor.id for monitor in wanted]
    await session.exec(delete(MonitorTask).where(col(MonitorTask.monitor_id).in_(gone)))
    await session.exec(delete(Monitor).where(col(Monitor.id).in_(gone)))
    return [monitor.name for monitor in wanted]


async def last_completed_rotation(session: AsyncSession, owner_tenant: str, integration_id: str) -> Rotation | None:
    """The integration's newest rotation that brought a secret, whatever became of the old one."""
    query = (
        select(Rotation)
        .where(
            Rotation.owner_tenant == owner_tenant,
            Rotation.integration_id == integration_id,
            Rotation.step == "done",
            Rotation.credential == "secret",
        )
        .order_by(col(Rotation.finished_at).desc(), col(Rotation.id))
    )
    return (await session.exec(query)).first()


async def has_answer(session: AsyncSession, rotation: Rotation, answers: Collection[str]) -> bool:
    """Whether an administrator said if the monitors use the replaced secret; ``answers`` are those acts."""
    said = select(HistoryEntry).where(
        HistoryEntry.owner_tenant == rotation.owner_tenant,
        HistoryEntry.integration_id == rotation.integration_id,
        col(HistoryEntry.act).in_(answers),
    )
    return any(act.facts.get("rotation") == rotation.id for act in (await session.exec(said)).all())


async def add_tasks(session: AsyncSession, owner_tenant: str, integration_id: str, rotation_id: str) -> int:
    """Open a task for every monitor of the integration that has none for this rotation. Returns how many."""
    await advisory_lock(session, "monitors", integration_id)
    query = select(MonitorTask.monitor_id).where(MonitorTask.rotation_id == rotation_id)
    known = set((await session.exec(query)).all())
    monitors = [one for one in await list_owned(session, owner_tenant, integration_id) if one.id not in known]
    session.add_all(
        MonitorTask(rotation_id=rotation_id, monitor_id=monitor.id, integration_id=integration_id)
        for monitor in monitors
    )
    return len(monitors)


async def list_tasks(session: AsyncSession, owner_tenant: str, integration_id: str) -> list[OpenTask]:
    """Each monitor's task of its newest rotation, by name."""
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
    found = [
        OpenTask(task.monitor_id, monitor.name, task.done_by, task.done_at) for task, monitor in newest.values()
    ]
    return sorted(found, key=lambda task: (task.name.casefold(), task.monitor_id))


async def complete_tasks(
    session: AsyncSession,
    owner_tenant: str,
    integration_id: str,
    monitor_ids: Collection[str],
    by: str,
    now: datetime,
) -> list[str]:
    """Mark these monitors' open tasks as done; earlier marks stay. Returns the names of those that were open."""
    ticked = [
        task
        for task in await list_tasks(session, owner_tenant, integration_id)
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


_OPEN_TASKS = select(func.count(func.distinct(MonitorTask.monitor_id))).where(
    col(MonitorTask.integration_id) == bindparam("integration_id"), col(MonitorTask.done_at).is_(None)
)


async def count_open_tasks(session: AsyncSession, integration_id: str) -> int:
    """How many monitors still have a secret that was replaced."""
    ((number,),) = await read_rows(session, _OPEN_TASKS, integration_id=integration_id)
    return int(number)
