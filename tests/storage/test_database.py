import asyncio
from pathlib import Path

import pytest
from sqlmodel import select

from storage.database import Database
from storage.tables import Integration
from tests.stores import empty_store, integration, read_integration, stored


async def test_writers_queue_and_none_loses_what_another_wrote(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())

        async def add_one() -> None:
            async with database.writing() as session:
                row = (await session.exec(select(Integration))).one()
                row.feature_version += 1
                await asyncio.sleep(0)
                session.add(row)

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await read_integration(database)).feature_version == 21


async def fail_while_writing(database: Database) -> None:
    async with database.writing() as session:
        session.add(integration())
        await session.flush()
        raise RuntimeError


async def test_an_error_takes_everything_back(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        with pytest.raises(RuntimeError):
            await fail_while_writing(database)
        await stored(database, integration())


async def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        async with database.writing() as session, asyncio.timeout(2):
            session.add(integration(id="i2"))
            await session.flush()
            assert (await read_integration(database)).id == "i1"
