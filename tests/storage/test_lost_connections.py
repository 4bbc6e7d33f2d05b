"""Connections that a server closes while they wait in a pool: nobody who uses one next meets an error."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.database import Database, database_url, open_database
from storage.transaction import Transaction
from tests.support.storage.db_proxy import proxy_to
from tests.support.storage.postgres import end_connections, fresh_database


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """They are of PostgreSQL."""


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("CREATE TABLE used (who text)")
        yield url


async def use(database: Database) -> None:
    """A session and a tick: each adds a row."""

    def add(transaction: Transaction) -> None:
        transaction.write("INSERT INTO used VALUES (?)", [("tick",)])

    async with database.writing() as session:
        await session.exec(text("INSERT INTO used VALUES ('session')"))  # type: ignore[call-overload]
    await database.transact(add)


async def rows(database: Database) -> dict[str, int]:
    found = await database.transact(lambda each: each.rows("SELECT who, count(*) FROM used GROUP BY who"))
    return dict(found)


@pytest.mark.parametrize("seconds", [0, 5])
async def test_what_the_server_closed_between_two_uses_is_replaced_and_everything_is_stored_once(
    url: str, seconds: int
) -> None:
    """Also when the connection is still there when it is taken: the server ends it a moment later."""
    async with open_database(url) as database:
        for _ in range(3):
            await use(database)
            end_connections(url, seconds)
        assert await rows(database) == {"session": 3, "tick": 3}


async def test_what_fails_or_is_lost_within_a_transaction_is_not_stored(url: str) -> None:
    async with open_database(url) as database:
        await use(database)

        def lose(transaction: Transaction) -> None:
            transaction.write("INSERT INTO used VALUES (?)", [("lost",)])
            end_connections(url, 5)
            transaction.rows("SELECT 1")

        async def fail() -> None:
            async with database.writing() as session:
                await session.exec(text("INSERT INTO used VALUES ('lost')"))  # type: ignore[call-overload]
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        with pytest.raises(OperationalError):
            await database.transact(lose)
        await use(database)
        assert await rows(database) == {"session": 2, "tick": 2}


async def test_another_transaction_on_the_same_connection_is_one_too(url: str) -> None:
    async with open_database(url) as database, database.engine.connect() as connection:
        await connection.execute(text("INSERT INTO used VALUES ('first')"))
        await connection.commit()
        await connection.execute(text("INSERT INTO used VALUES ('second')"))
        await connection.rollback()
        assert await rows(database) == {"first": 1}


@pytest.mark.parametrize("uses", [0, 1])
async def test_a_tick_says_as_a_session_does_that_the_database_does_not_answer(url: str, uses: int) -> None:
    """Also when its connection is the first."""
    async with proxy_to(url) as db_proxy, open_database(db_proxy.url) as database:
        for _ in range(uses):
            await use(database)
        await db_proxy.cut()
        with pytest.raises(OperationalError):
            await database.transact(lambda transaction: transaction.rows("SELECT 1"))
        db_proxy.restore()
        await use(database)


LOCK = "SELECT who FROM used FOR UPDATE"


async def hang_in_a_session(database: Database, locked: threading.Event, released: threading.Event) -> None:
    async with database.writing() as session:
        await session.exec(text(LOCK))  # type: ignore[call-overload]
        locked.set()
        await asyncio.to_thread(released.wait)


async def hang_in_a_tick(database: Database, locked: threading.Event, released: threading.Event) -> None:
    def hang(transaction: Transaction) -> None:
        transaction.rows(LOCK)
        locked.set()
        released.wait()

    await database.transact(hang)


@pytest.mark.parametrize("hang", [hang_in_a_session, hang_in_a_tick])
async def test_what_a_process_has_locked_that_hangs_or_whose_machine_is_gone_is_soon_free(
    url: str, hang: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgres_connections.IDLE_SECONDS", 1)
    locked, released = threading.Event(), threading.Event()
    async with open_database(url) as database, open_database(url) as another:
        await use(database)
        hanging = asyncio.create_task(hang(database, locked, released))
        await asyncio.to_thread(locked.wait)
        try:
            async with asyncio.timeout(30):
                await another.transact(lambda transaction: transaction.rows(LOCK))
        finally:
            released.set()
        with pytest.raises(DBAPIError):
            await hanging


def patience(connection: Any) -> tuple[int, int]:
    """Milliseconds until TCP gives up a silent machine: one that does not confirm what it was sent, and another."""
    names = (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    with socket.socket(fileno=os.dup(connection.fileno())) as opened:
        unconfirmed, idle, interval, count = (opened.getsockopt(socket.IPPROTO_TCP, name) for name in names)
    return unconfirmed, 1000 * (idle + interval * count)


async def test_a_database_whose_machine_is_silent_is_given_up_within_seconds(url: str) -> None:
    """By sessions, ticks and the queue, for which it is the address."""
    async with proxy_to(url) as db_proxy, open_database(db_proxy.url) as database:
        async with database.session() as session:
            connection = await (await session.connection()).get_raw_connection()
            found = [patience(connection.driver_connection)]
        found.append(await database.transact(lambda it: patience(it._connection.driver_connection)))
        async with await psycopg.AsyncConnection.connect(database.conninfo) as opened:
            found.append(patience(opened))
    assert found == [(10_000, 10_000)] * 3


def test_what_an_address_says_of_its_connections_takes_precedence() -> None:
    assert database_url("postgresql://host/name?tcp_user_timeout=500").query["tcp_user_timeout"] == "500"
