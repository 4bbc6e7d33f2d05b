"""What Teams was read to show of people, compared by ``sync.presence``; and how long changes took."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, not_
from sqlalchemy import select as columns
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import insert_or_add, read_rows, upsert
from storage.queries.people.hidden import is_shown
from storage.queries.people.people import batches
from storage.tables.columns import UNSURE
from storage.tables.effects import DelayCount, ReadBack, ReadBackRun
from storage.tables.integrations import Integration
from storage.tables.people import Person


@dataclass(frozen=True, slots=True)
class Showing:
    """A person for whom Teams shows, or may show, something from us; ``read`` is what was read before.

    Who is not ``wanted`` is about to be cleared: outside the hours, for example.
    """

    person_id: str
    integration_id: str
    user_id: str
    applied: str
    applied_at: datetime | None
    desired: str | None
    desired_at: datetime | None
    wanted: bool
    read: tuple[str, str]
    read_at: datetime | None
    sent_again_at: datetime | None


async def showing(
    session: AsyncSession, integration_ids: Collection[str], now: datetime, after: str, limit: int
) -> list[Showing]:
    """At most ``limit`` people with something applied, ordered by Teams user, those after ``after``."""
    query = (
        columns(
            col(Person.id),
            col(Person.integration_id),
            col(Person.applied_user_id),
            col(Person.applied),
            col(Person.applied_at),
            col(Person.desired),
            col(Person.desired_at),
            _may_show().label("wanted"),
            col(ReadBack.availability),
            col(ReadBack.activity),
            col(ReadBack.at),
            col(ReadBack.sent_again_at),
        )
        .join(Integration, col(Integration.id) == col(Person.integration_id))
        .outerjoin(ReadBack, col(ReadBack.person_id) == col(Person.id))
        .where(
            col(Person.integration_id).in_(integration_ids),
            col(Person.applied).is_not(None),
            col(Person.applied_user_id) > after,
            col(Person.applied_until) > now,
        )
        .order_by(col(Person.applied_user_id))
        .limit(limit)
    )
    rows = await (await session.connection()).execute(query)
    return [
        Showing(*row[:8], (row.availability or "", row.activity or ""), *row[10:])  # type: ignore[arg-type, call-arg]
        for row in rows
    ]


async def shown_to(session: AsyncSession, integration_ids: Collection[str], user_id: str) -> Sequence[Person]:
    """The people of these integrations by whom this Teams user shows something from us, or may."""
    theirs = (col(Person.integration_id).in_(integration_ids), col(Person.applied_user_id) == user_id)
    query = select(Person).where(*theirs, col(Person.applied).is_not(None)).order_by(col(Person.id))
    return (await session.exec(query)).all()


def _may_show() -> ColumnElement[bool]:
    """``sync.presence.plan.may_show`` in SQL, for the account that it was applied to."""
    return and_(
        col(Integration.enabled),
        not_(col(Integration.closed)),
        col(Integration.removing_since).is_(None),
        is_shown(),
        func.coalesce(col(Person.teams_user_id) == col(Person.applied_user_id), False),
    )


async def store_read(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace rows of ``ReadBack``; those of people who are gone are left out."""
    kept = await _existing(session, [row["person_id"] for row in rows])
    found = [row for row in rows if row["person_id"] in kept]
    if found:
        values = ("availability", "activity", "at", "sent_again_at")
        await (await session.connection()).execute(upsert(session, ReadBack, values), found)


async def _existing(session: AsyncSession, person_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in batches(person_ids):
        found.update((await session.exec(select(Person.id).where(col(Person.id).in_(part)))).all())
    return found


async def send_again(session: AsyncSession, people: Sequence[Showing], now: datetime) -> int:
    """Make those due whose presence is still the one that was compared; returns how many."""
    count = 0
    for each in people:
        unchanged = (
            col(Person.id) == each.person_id,
            col(Person.applied) == each.applied,
            col(Person.applied_at) == each.applied_at,
            col(Person.desired) == each.applied,
        )
        result = await session.exec(update(Person).where(*unchanged).values(applied=UNSURE, due_at=now))
        count += result.rowcount
    return count


_READ = (
    col(Person.applied),
    col(ReadBack.availability),
    col(ReadBack.activity),
    col(ReadBack.sent_again_at).is_not(None),
)
_SUMMARY = (
    columns(*_READ, func.count())
    .join(ReadBack, col(ReadBack.person_id) == col(Person.id))
    .where(
        col(Person.integration_id) == bindparam("integration_id"),
        col(Person.applied).is_not(None),
        col(Person.applied) == col(Person.desired),
        col(ReadBack.at) >= col(Person.desired_at),
    )
    .group_by(*_READ)
)


async def summary(session: AsyncSession, integration_id: str) -> list[tuple[str, tuple[str, str], bool, int]]:
    """Presence, what Teams was read to show, whether it was sent again, and of how many people.

    Of those whose presence is applied and still desired, and was read since.
    """
    found = await read_rows(session, _SUMMARY, integration_id=integration_id)
    return [(applied or "", (one, other), bool(again), count) for applied, one, other, again, count in found]


@dataclass(frozen=True, slots=True)
class LastRead:
    """An integration for which Teams shows something: its application, and its latest reading."""

    integration_id: str
    app: tuple[str, str]
    asked_at: datetime | None
    fault: str


_LAST_READS = (
    columns(
        col(Integration.id),
        col(Integration.tenant_id),
        col(Integration.client_id),
        col(ReadBackRun.asked_at),
        col(ReadBackRun.fault),
    )
    .outerjoin(ReadBackRun, col(ReadBackRun.integration_id) == col(Integration.id))
    .where(
        exists().where(
            col(Person.integration_id) == col(Integration.id),
            col(Person.applied).is_not(None),
            col(Person.applied_at) <= bindparam("since"),
        )
    )
    .order_by(col(Integration.id))
)


async def last_reads(session: AsyncSession, since: datetime) -> list[LastRead]:
    """Of every integration for which Teams shows something, at least since then, in the order of their ids."""
    rows = await (await session.connection()).execute(_LAST_READS, {"since": since})
    return [LastRead(key, (tenant, client), at, fault or "") for key, tenant, client, at, fault in rows]


_RUN = select(ReadBackRun).where(ReadBackRun.integration_id == bindparam("integration_id"))


async def get_run(session: AsyncSession, integration_id: str) -> ReadBackRun | None:
    return (await session.exec(_RUN, params={"integration_id": integration_id})).first()


async def add_delays(session: AsyncSession, counts: Mapping[tuple[str, int, int], int]) -> None:
    """Add changes by integration, slot and bucket; those of integrations that are gone are left out."""
    names = {integration_id for integration_id, _, _ in counts}
    query = select(Integration.id).where(col(Integration.id).in_(names))
    kept = set((await session.exec(query)).all())
    rows = [
        {"integration_id": key, "slot": slot, "bucket": bucket, "changes": changes}
        for (key, slot, bucket), changes in sorted(counts.items())
        if key in kept
    ]
    if rows:
        await (await session.connection()).execute(insert_or_add(session, DelayCount, "changes"), rows)


_DELAYS = (
    select(DelayCount.bucket, func.sum(DelayCount.changes))
    .where(DelayCount.integration_id == bindparam("integration_id"), DelayCount.slot >= bindparam("since"))
    .group_by(col(DelayCount.bucket))
)


async def delays(session: AsyncSession, integration_id: str, since: int) -> Counter[int]:
    """How many changes of the slots from ``since`` on took how long, by bucket."""
    found = await read_rows(session, _DELAYS, integration_id=integration_id, since=since)
    return Counter({bucket: int(changes) for bucket, changes in found})


async def delete_delays(session: AsyncSession, before: int) -> None:
    await session.exec(delete(DelayCount).where(col(DelayCount.slot) < before))
