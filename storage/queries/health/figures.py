"""What is counted for an integration hour by hour."""

from collections.abc import Mapping

from sqlalchemy import bindparam
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import insert_or_add, read_rows
from storage.tables.effects import HourFigure
from storage.tables.integrations import Integration

Counts = Mapping[tuple[str, int, str], int]
"""By integration, hour and name."""


async def add(session: AsyncSession, counts: Counts) -> None:
    """Add to what is stored; what was counted for integrations that are gone is left out."""
    names = {integration_id for integration_id, _, _ in counts}
    query = select(Integration.id).where(col(Integration.id).in_(names))
    kept = set((await session.exec(query)).all()) if names else set()
    rows = [
        {"integration_id": key, "hour": hour, "name": name, "count": count}
        for (key, hour, name), count in sorted(counts.items())
        if key in kept
    ]
    if rows:
        await (await session.connection()).execute(insert_or_add(session, HourFigure, "count"), rows)


_BETWEEN = select(HourFigure.hour, HourFigure.name, HourFigure.count).where(
    HourFigure.integration_id == bindparam("integration_id"),
    HourFigure.hour >= bindparam("since"),
    HourFigure.hour < bindparam("until"),
)


async def between(session: AsyncSession, integration_id: str, since: int, until: int) -> list[tuple[int, str, int]]:
    """Hour, name and count of the hours that begin from ``since`` on and before ``until``."""
    found = await read_rows(session, _BETWEEN, integration_id=integration_id, since=since, until=until)
    return [(hour, name, count) for hour, name, count in found]


async def delete_before(session: AsyncSession, hour: int) -> None:
    await session.exec(delete(HourFigure).where(col(HourFigure.hour) < hour))
