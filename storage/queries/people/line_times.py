"""How long people's lines were in each state of a day, and what other mappings would have shown of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, case, func, literal, union_all
from sqlalchemy import select as columns
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.mapping import Mappings
from storage.tables.people import LineTime, Person

LEAST = 30
"""Seconds: what is shorter is not worth a line."""

Replayed = tuple[str, str | None, str | None, int]
"""A person's name, what Teams would have shown before and after, and for how many seconds."""

Total = tuple[str | None, str | None, int, int]
"""What Teams would have shown before and after, for how many seconds, of how many people."""


async def newest_day(session: AsyncSession, integration_id: str, today: date) -> date:
    """Yesterday; today while nothing of yesterday is known."""
    yesterday = today - timedelta(days=1)
    of_yesterday = (LineTime.integration_id == integration_id, LineTime.day == yesterday.isoformat())
    found = (await session.exec(select(LineTime.seconds).where(*of_yesterday).limit(1))).first()
    return today if found is None else yesterday


async def replay(
    session: AsyncSession,
    integration_id: str,
    mappings: tuple[Mappings, Mappings],
    day: date,
    now: datetime,
    stale: datetime,
    limit: int,
) -> tuple[list[Total], list[Replayed]]:
    """What the second mappings would have shown on ``day`` that the first did not: in all, and of the first people.

    A state that was last heard of before ``stale`` and has not ended does not count.
    """
    times = _times(integration_id, day, now, stale)
    before = mappings[0].desired(times.c.state, col(Person.mapping)).label("before")
    after = mappings[1].desired(times.c.state).label("after")
    seconds = func.sum(times.c.seconds)
    base = (
        columns(before, after)
        .join(times, times.c.person_id == col(Person.id))
        .where(*mappings[0].of_shown(integration_id), before.is_distinct_from(after))
    )
    people = func.count(col(Person.id).distinct())
    counts = seconds >= LEAST
    by_kind = base.add_columns(seconds, people).group_by("before", "after").having(counts).order_by(seconds.desc())
    name = col(Person.name)
    by_person = base.add_columns(seconds, name).group_by(col(Person.id), name, "before", "after")
    by_person = by_person.having(counts).order_by(seconds.desc(), name).limit(limit)
    connection = await session.connection()
    totals = [(row[0], row[1], int(row[2]), row[3]) for row in await connection.execute(by_kind)]
    first = [(row[3], row[0], row[1], int(row[2])) for row in await connection.execute(by_person)]
    return totals, first


def _times(integration_id: str, day: date, now: datetime, stale: datetime) -> Subquery:
    """Person, state and seconds: what was counted, and what has not ended yet."""
    ended = columns(col(LineTime.person_id), col(LineTime.state), col(LineTime.seconds)).where(
        col(LineTime.integration_id) == integration_id, col(LineTime.day) == day.isoformat()
    )
    begin = datetime.combine(day, datetime.min.time(), UTC)
    first, last = int(begin.timestamp()), int(min(now, begin + timedelta(days=1)).timestamp())
    since = col(Person.line_since)
    running: Any = columns(
        col(Person.id).label("person_id"),
        col(Person.line).label("state"),
        (literal(last) - case((since > first, since), else_=literal(first))).label("seconds"),
    ).where(
        col(Person.integration_id) == integration_id,
        since > 0,
        since < last,
        col(Person.heard_at) >= stale,
    )
    return union_all(ended, running).subquery()


async def delete_before(session: AsyncSession, day: date) -> None:
    await session.exec(delete(LineTime).where(col(LineTime.day) < day.isoformat()))
