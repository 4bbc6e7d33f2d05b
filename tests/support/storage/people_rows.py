"""People and calls as they are stored, for comparison."""

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Call, Person


async def people_of(session: AsyncSession, integration_id: str) -> list[Person]:
    """Everyone of an integration, also who is gone from CloudLink."""
    return list((await session.exec(select(Person).where(Person.integration_id == integration_id))).all())


async def calls_by_person(session: AsyncSession, person_ids: Collection[str]) -> dict[str, list[Call]]:
    """The known calls of each of these people."""
    found: dict[str, list[Call]] = {person_id: [] for person_id in person_ids}
    for call in (await session.exec(select(Call).where(col(Call.person_id).in_(person_ids)))).all():
        found[call.person_id].append(call)
    return found
