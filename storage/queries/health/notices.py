"""Notices: each is stored once, claimed by one process, and never sent twice."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func
from sqlmodel import col, not_, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import insert_or_ignore
from storage.tables.notices import Notice


class State(StrEnum):
    """A notice's state; ``storage.tables.notices.Notice`` says what each means."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    UNREACHABLE = "unreachable"
    DROPPED = "dropped"
    CLOSING = "closing"
    CLOSED = "closed"


DELIVERED = (State.SENT, State.CLOSING, State.CLOSED)
"""States of a notice that a person has received."""

REPETITION: Final = "~"
"""Separates a stage from the name of its repetition: ``again``, or the day of a reminder."""

REMINDED_AFTER = timedelta(days=1)
"""How long a reminder waits from when it is asked for."""


async def add_new(session: AsyncSession, rows: Sequence[Notice]) -> None:
    """Store those that are new: same integration, topic, stage and audience is the same notice."""
    if rows:
        connection = await session.connection()
        await connection.execute(insert_or_ignore(session, Notice), [row.model_dump() for row in rows])


async def list_relevant(
    session: AsyncSession, integration_ids: Collection[str], since: datetime, closable: Collection[str]
) -> Mapping[str, list[Notice]]:
    """The notices of each of these integrations, without those that were finished before ``since``.

    A sent notice is finished, unless its topic is one of ``closable``.
    """
    at_end = col(Notice.state).in_((State.CLOSED, State.DROPPED))
    is_sent = (col(Notice.state) == State.SENT) & col(Notice.topic).not_in(closable)
    query = select(Notice).where(
        col(Notice.integration_id).in_(integration_ids),
        or_(not_(at_end | is_sent), col(Notice.created_at) >= since, col(Notice.closed_at) >= since),
    )
    query = query.order_by(col(Notice.created_at))
    return grouped((await session.exec(query)).all(), lambda row: row.integration_id)


async def list_same_subject(session: AsyncSession, notice: Notice) -> list[Notice]:
    """The notices to every audience with the same integration, topic and stage."""
    query = select(Notice).where(
        Notice.integration_id == notice.integration_id, Notice.topic == notice.topic, Notice.stage == notice.stage
    )
    return list((await session.exec(query)).all())


async def get_owned(session: AsyncSession, owner_tenant: str, notice_id: str) -> Notice | None:
    """None for a notice that is gone or another tenant's."""
    query = select(Notice).where(Notice.id == notice_id, Notice.owner_tenant == owner_tenant)
    return (await session.exec(query)).first()


async def list_due(session: AsyncSession, integration_id: str, now: datetime) -> list[Notice]:
    """Those to send now and those whose cards must be updated now, oldest first."""
    query = select(Notice).where(Notice.integration_id == integration_id, *_due(now))
    return list((await session.exec(query.order_by(col(Notice.created_at), col(Notice.id)))).all())


async def integrations_with_due(session: AsyncSession, now: datetime) -> list[str]:
    return list((await session.exec(select(Notice.integration_id).where(*_due(now)).distinct())).all())


def _due(now: datetime) -> tuple[Any, ...]:
    is_time = or_(col(Notice.due_at).is_(None), col(Notice.due_at) <= now)
    return col(Notice.state).in_((State.WAITING, State.CLOSING)), is_time


def is_reminder() -> ColumnElement[bool]:
    """One that a person put off, and that was not tried yet."""
    is_untried = and_(col(Notice.state) == State.WAITING, col(Notice.attempts) == 0)
    return and_(is_untried, col(Notice.stage).contains(REPETITION))


async def claim(session: AsyncSession, notice_id: str, now: datetime) -> bool:
    """Claim a waiting notice for sending: True for exactly one process."""
    return await transition(session, notice_id, State.WAITING, state=State.SENDING, due_at=now)


async def lease(session: AsyncSession, notice: Notice, until: datetime) -> bool:
    """Claim the update of a card until then; after a crash another process repeats it, which is harmless."""
    query = (
        update(Notice)
        .where(col(Notice.id) == notice.id, col(Notice.state) == State.CLOSING, col(Notice.due_at) == notice.due_at)
        .values(due_at=until)
    )
    return bool((await session.exec(query)).rowcount)


async def transition(session: AsyncSession, notice_id: str, expected: State, **values: object) -> bool:
    """Change a notice that is still in the state ``expected``; False when it is not."""
    query = update(Notice).where(col(Notice.id) == notice_id, col(Notice.state) == expected).values(**values)
    return bool((await session.exec(query)).rowcount)


async def transition_all(session: AsyncSession, ids: Collection[str], expected: State, **values: object) -> None:
    for notice_id in ids:
        await transition(session, notice_id, expected, **values)


async def count_by_state(session: AsyncSession) -> dict[str, int]:
    """How many notices are in each state."""
    rows = await session.exec(select(Notice.state, func.count()).group_by(Notice.state))
    return {str(state): number for state, number in rows.all()}
