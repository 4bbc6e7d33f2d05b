"""The schema on a real PostgreSQL: made once however many start at once, and left alone when it is newer."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from storage.database import open_database
from storage.schema import NewerDatabase, migrate
from tests.postgres import fresh_database


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database() as url:
        yield url


async def test_several_that_start_at_once_migrate_once(url: str) -> None:
    async def start() -> None:
        async with open_database(url) as database:
            await migrate(database)

    await asyncio.gather(*(start() for _ in range(4)))
    async with open_database(url) as database, database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(SQLModel.metadata.tables) <= set(names)


async def test_a_database_of_a_newer_release_is_refused(url: str) -> None:
    async with open_database(url) as database:
        await migrate(database)
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerDatabase, match="9999"):
            await migrate(database)
