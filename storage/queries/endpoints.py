"""Endpoints of people and their calls: whom a report concerns, what is known of them, and what is to be read."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, update
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people import batches
from storage.tables.people import Call, Endpoint, Person

ByIntegration = Mapping[str, Collection[str]]
"""Extensions or user ids, by an integration's id."""


async def concerned(session: AsyncSession, extensions: ByIntegration, user_ids: ByIntegration) -> list[Person]:
    """The people who own these extensions, were seen there, or have these CloudLink user ids."""
    found: dict[str, Person] = {}
    for part in _parts(extensions):
        here = _is_one_of(col(Endpoint.integration_id), col(Endpoint.extension), part)
        seen = col(Person.id).in_(select(Endpoint.person_id).where(here))
        own = _is_one_of(col(Person.integration_id), col(Person.extension), part)
        rows = (await session.exec(select(Person).where(or_(own, seen)))).all()
        found |= {person.id: person for person in rows}
    for part in _parts(user_ids):
        named = _is_one_of(col(Person.integration_id), col(Person.cloudlink_user_id), part)
        found |= {person.id: person for person in (await session.exec(select(Person).where(named))).all()}
    return list(found.values())


def _is_one_of(owner: Any, value: Any, wanted: ByIntegration) -> ColumnElement[bool]:
    """Pairs, in a form for which SQLite too uses its indices."""
    return or_(false(), *(and_(owner == key, value.in_(sorted(some))) for key, some in wanted.items()))


def _parts(wanted: ByIntegration) -> Iterable[ByIntegration]:
    """At most ``BATCH`` values in each."""
    for part in batches(sorted((key, value) for key, some in wanted.items() for value in some)):
        yield {key: [value for owner, value in part if owner == key] for key in dict(part)}


async def endpoints_by_person(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[Endpoint]]:
    """The endpoints at which each of these people was seen."""
    found: dict[str, list[Endpoint]] = {person_id: [] for person_id in person_ids}
    for part in batches(sorted(person_ids)):
        for row in (await session.exec(select(Endpoint).where(col(Endpoint.person_id).in_(part)))).all():
            found[row.person_id].append(row)
    return found


async def to_poll_now(session: AsyncSession, integration_id: str, now: datetime, limit: int) -> list[str]:
    """At most so many of the extensions to be read out of turn by now, each once."""
    due = (Endpoint.integration_id == integration_id, col(Endpoint.poll_at) <= now)
    query = select(Endpoint.extension).where(*due).distinct().order_by(col(Endpoint.extension)).limit(limit)
    return list((await session.exec(query)).all())


async def next_poll(session: AsyncSession, integration_id: str) -> datetime | None:
    """When an endpoint is to be read out of turn next."""
    query = select(func.min(Endpoint.poll_at)).where(Endpoint.integration_id == integration_id)
    return (await session.exec(query)).one()


async def mark_polled(
    session: AsyncSession, integration_id: str, extensions: Collection[str], asked_at: datetime
) -> set[str]:
    """These were read at ``asked_at``: what was to be read by then, out of turn, no longer is.

    Returns the ids of the people for whom it was to be.
    """
    here = (col(Endpoint.integration_id) == integration_id, col(Endpoint.extension).in_(sorted(extensions)))
    due = (*here, col(Endpoint.poll_at) <= asked_at)
    found = set((await session.exec(select(Endpoint.person_id).where(*due))).all())
    if found:
        await session.exec(update(Endpoint).where(*due).values(poll_at=None))
    return found


async def move(session: AsyncSession, former: Mapping[str, str], people: Collection[Person], now: datetime) -> None:
    """These people's own extension is no longer their ``former`` one: their endpoints are to be read out of turn.

    Of those without a new one, what was known of the former is forgotten.
    """
    seen = await endpoints_by_person(session, former)
    for person in people:
        rows = {row.extension: row for row in seen[person.id]}
        if person.extension is None and former[person.id] in rows:
            await forget(session, rows.pop(former[person.id]))
        elif person.extension and person.extension not in rows:
            row = Endpoint(person_id=person.id, extension=person.extension, integration_id=person.integration_id)
            session.add(row)
            rows[row.extension] = row
        for row in rows.values():
            row.poll_at = now


async def forget(session: AsyncSession, endpoint: Endpoint) -> None:
    """Delete an endpoint and its calls."""
    here = (col(Call.person_id) == endpoint.person_id, col(Call.extension) == endpoint.extension)
    await session.exec(delete(Call).where(*here))
    await session.delete(endpoint)


async def calls_by_person(
    session: AsyncSession, person_ids: Collection[str], ended: str = "", named: Collection[str] = ()
) -> dict[str, list[Call]]:
    """The known calls of each of these people; of those in the state ``ended`` only the ``named``."""
    found: dict[str, list[Call]] = {person_id: [] for person_id in person_ids}
    matters = or_(col(Call.state) != ended, col(Call.call_id).in_(sorted(named)))
    for part in batches(sorted(person_ids)):
        for call in (await session.exec(select(Call).where(col(Call.person_id).in_(part), matters))).all():
            found[call.person_id].append(call)
    return found
