"""Endpoints of people and their calls: whom a report concerns, what is known of them, and what is to be read."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.people import batches
from storage.tables.people import Call, Endpoint, Person


async def endpoints_by_person(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[Endpoint]]:
    """The endpoints at which each of these people was seen."""
    found: dict[str, list[Endpoint]] = {person_id: [] for person_id in person_ids}
    for part in batches(sorted(person_ids)):
        for row in (await session.exec(select(Endpoint).where(col(Endpoint.person_id).in_(part)))).all():
            found[row.person_id].append(row)
    return found


async def of_person(session: AsyncSession, integration_id: str, person_id: str, limit: int) -> list[str]:
    """A person's own extension, then those where they were seen; at most so many."""
    this = (Person.id == person_id, Person.integration_id == integration_id)
    own = (await session.exec(select(Person.extension).where(*this))).first()
    seen = select(Endpoint.extension).where(
        Endpoint.person_id == person_id, Endpoint.integration_id == integration_id
    )
    found = (await session.exec(seen.order_by(col(Endpoint.extension)).limit(limit))).all()
    return list(dict.fromkeys([*([own] if own else []), *found]))[:limit]


async def to_poll_now(session: AsyncSession, integration_id: str, now: datetime, limit: int) -> list[str]:
    """At most so many of the extensions to be read out of turn by now, each once."""
    due = (Endpoint.integration_id == integration_id, col(Endpoint.poll_at) <= now)
    query = select(Endpoint.extension).where(*due).distinct().order_by(col(Endpoint.extension)).limit(limit)
    return list((await session.exec(query)).all())


async def integrations_to_poll_now(session: AsyncSession, now: datetime) -> set[str]:
    """The integrations with an endpoint that is to be read out of turn by now."""
    query = select(Endpoint.integration_id).where(col(Endpoint.poll_at) <= now).distinct()
    return set((await session.exec(query)).all())


async def next_poll(session: AsyncSession, integration_id: str) -> datetime | None:
    """When an endpoint is to be read out of turn next."""
    query = select(func.min(Endpoint.poll_at)).where(Endpoint.integration_id == integration_id)
    return (await session.exec(query)).one()


async def leave_to_rounds(session: AsyncSession, integration_id: str, extensions: Collection[str]) -> None:
    """These extensions are no longer to be read out of turn."""
    if extensions:
        here = (col(Endpoint.integration_id) == integration_id, col(Endpoint.extension).in_(extensions))
        await session.exec(update(Endpoint).where(*here).values(poll_at=None))


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


async def forget_all(session: AsyncSession, person_id: str) -> None:
    """Delete a person's endpoints and calls."""
    await session.exec(delete(Call).where(col(Call.person_id) == person_id))
    await session.exec(delete(Endpoint).where(col(Endpoint.person_id) == person_id))


async def forget(session: AsyncSession, endpoint: Endpoint) -> None:
    """Delete an endpoint and its calls."""
    here = (col(Call.person_id) == endpoint.person_id, col(Call.extension) == endpoint.extension)
    await session.exec(delete(Call).where(*here))
    await session.delete(endpoint)
