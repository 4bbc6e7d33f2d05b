import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import (
    BUSY,
    BUSY_AT_START,
    CONNECTIONS,
    Database,
    database_url,
    make_private_folder,
    open_database,
)
from storage.queries import integrations
from storage.schema import migrate
from tests.support.storage.stores import SQLITE, empty_store, integration, read_integration, stored

on_no_server = pytest.mark.parametrize("each_database", [SQLITE], indirect=True)
"""Once, not on each database."""


async def test_writers_queue_and_none_loses_what_another_wrote(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())

        async def add_one() -> None:
            async with database.writing() as session:
                row = await integrations.get_for_update(session, "i1")
                assert row is not None
                row.feature_version += 1
                await asyncio.sleep(0)
                session.add(row)

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await read_integration(database)).feature_version == 21


async def test_on_sqlite_a_tick_waits_for_one_writer_at_most_and_writers_for_one_tick_each(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        order: list[str] = []

        async def write() -> None:
            async with database.writing():
                order.append("writer")

        async def tick() -> None:
            for _ in range(3):
                await database.transact(lambda transaction: transaction.rows("SELECT 1"))
                order.append("tick")

        await asyncio.gather(*(write() for _ in range(5)), tick())
        assert order == ["writer", "tick", "writer", "tick", "writer", "tick", "writer", "writer"]


async def test_a_locked_row_is_read_in_its_newest_state(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())

        async def add_one() -> None:
            async with database.writing() as session:
                assert await integrations.get_owned(session, "t1", "i1")
                row = await integrations.get_owned(session, "t1", "i1", lock=True)
                assert row is not None
                row.feature_version += 1

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await read_integration(database)).feature_version == 21


async def fail_while_writing(database: Database) -> None:
    async with database.writing() as session:
        session.add(integration())
        await session.flush()
        raise RuntimeError


@on_no_server
async def test_what_sessions_committed_is_synced_with_the_next_durable_transaction(tmp_path: Path) -> None:
    """SQLite syncs its log at the end of a transaction that wrote to it, on a connection that is ``FULL``."""
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        log = tmp_path / "presence.db-wal"
        before = log.stat().st_size
        await database.sync()
        assert log.stat().st_size > before
        assert await database.transact(lambda it: it.rows("PRAGMA synchronous")) == [(2,)]


async def test_an_error_rolls_everything_back(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        with pytest.raises(RuntimeError):
            await fail_while_writing(database)
        await stored(database, integration())


@pytest.mark.parametrize("seconds", [BUSY, BUSY_AT_START])
async def test_a_start_waits_longer_for_another_process_that_writes(tmp_path: Path, seconds: int) -> None:
    async with open_database(f"sqlite:///{tmp_path}/presence.db", seconds) as database:
        async with database.session() as session:
            found = (await session.exec(text("PRAGMA busy_timeout"))).one()  # type: ignore[call-overload]
        ticks = await database.transact(lambda transaction: transaction.rows("PRAGMA busy_timeout"))
    assert [found, *ticks] == [(1000 * seconds,)] * 2


async def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        async with database.writing() as session, asyncio.timeout(30):
            session.add(integration(id="i2"))
            await session.flush()
            assert (await read_integration(database)).id == "i1"


async def test_names_from_outside_may_hold_anything(tmp_path: Path) -> None:
    name = "Vale\0 \x1b[31m \u202e 🦜 'Verde'; --"
    async with empty_store(tmp_path) as database:
        await stored(database, integration(name=name, quota_spent=[[1, 2]]))
        assert (await read_integration(database)).name.replace("\0", "") == name.replace("\0", "")


@on_no_server
@pytest.mark.parametrize("mask", [0o000, 0o277], ids=oct)
@pytest.mark.parametrize("is_there", [False, True])
async def test_the_files_of_sqlite_are_their_owners_alone(mask: int, is_there: bool, tmp_path: Path) -> None:
    folder, umask = tmp_path / "new" / "data", os.umask(mask)
    try:
        make_private_folder(folder)
        path = folder / "presence.db"
        if is_there:
            path.touch(0o644)
        async with open_database(f"sqlite:///{path}") as database:
            await migrate(database)
            async with database.writing() as session:
                session.add(integration())
            modes = {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}
    finally:
        os.umask(umask)
    assert modes == dict.fromkeys(("presence.db", "presence.db-wal", "presence.db-shm"), "0o600")
    assert folder.stat().st_mode & 0o777 == 0o700


@on_no_server
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
async def test_what_is_no_file_keeps_its_mode(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A folder others use, such as /tmp, given by mistake as the database."""
    path = tmp_path / "shared"
    make(path)
    path.chmod(0o1777)
    async with open_database(f"sqlite:///{path}"):
        assert path.stat().st_mode & 0o7777 == 0o1777


@on_no_server
@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://bot:secret@db/presence", "postgresql+psycopg"),
        ("postgres://db/presence", "postgresql+psycopg"),
        ("sqlite:///presence.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///presence.db", "sqlite+aiosqlite"),
    ],
)
def test_an_address_needs_no_driver(given: str, driver: str) -> None:
    url = database_url(given)
    assert (url.drivername, url.password) == (driver, "secret" if "secret" in given else None)


@on_no_server
@pytest.mark.parametrize(
    "given",
    [
        "mysql://bot:secret@db/presence",
        "secret",
        "",
        "postgresql://bot:secret",
        "postgresql://bot:x@db:secret/presence",
    ],
)
def test_another_database_is_refused_without_repeating_its_address(given: str) -> None:
    with pytest.raises(ValueError, match="PostgreSQL") as refusal:
        database_url(given)
    assert "secret" not in str(refusal.value)


@on_no_server
@pytest.mark.parametrize(
    "given",
    [
        "postgresql://bot:pa@ss@db/presence",
        "postgresql://bot:@pass@db/presence",
        "postgresql://bot:p@a:ss@db:5432/presence",
        "postgresql://bot:p@a/ss@db/presence",
        "postgresql://bot:p@a?ss@db/presence",
        "postgresql+psycopg://bot:p@a#ss@db/presence",
        "postgresql://bot@tenant:pass@db/presence",
    ],
)
def test_an_at_sign_in_the_password_is_named_and_the_address_not_repeated(given: str) -> None:
    with pytest.raises(ValueError, match="write @ as %40") as refusal:
        database_url(given)
    assert "ss" not in str(refusal.value).replace("password", "")


@on_no_server
@pytest.mark.parametrize(
    "given",
    [
        "postgresql://bot:pa%40ss@db/presence?sslmode=verify-full",
        "postgresql://bot@db/presence",
        "postgresql://bot:p:a/s?s#@db/presence",
        "sqlite:////home/ana@example/presence.db",
        "postgresql:///presence?host=/tmp",
    ],
)
def test_an_address_that_is_right_is_taken(given: str) -> None:
    assert database_url(given)


async def test_however_many_sessions_are_wanted_a_process_has_so_many_connections(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        if database.is_sqlite:
            return

        async def server_process() -> int:
            async with database.session() as session:
                await session.exec(text("SELECT pg_sleep(0.02)"))  # type: ignore[call-overload]
                found = await session.exec(text("SELECT pg_backend_pid()"))  # type: ignore[call-overload]
                return int(found.scalar_one())

        assert len(set(await asyncio.gather(*(server_process() for _ in range(3 * CONNECTIONS))))) <= CONNECTIONS
