"""An empty store, on either database, and rows for it.

What only some tests need, PostgreSQL and the migrations, is imported where it is used: it is slow to import.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from core.text import searchable
from storage.database import Database, configure_connections, open_database
from storage.encryption import Encryption, place_of
from storage.tables.integrations import Integration
from storage.tables.people import Person
from tests.support.clocks import NOON
from tests.support.shared_work import made_once
from tests.support.storage.compiled import share_compiled_statements

share_compiled_statements(SQLiteDialect_aiosqlite, SQLiteDialect_pysqlite)

Encrypted = TypeVar("Encrypted", bound=SQLModel)

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
EACH = (SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.long))

_on = SQLITE
_kept: dict[Path, str] = {}

on_sqlite = pytest.mark.parametrize("each_database", [SQLITE], indirect=True)
"""For a test in a module whose tests run on each database: others send PostgreSQL the same queries."""


@contextmanager
def module_database(database: str, folder: Path) -> Iterator[str]:
    """The address of a database of this kind with all tables and no rows, for a module's fixture."""
    if database == SQLITE:
        yield sqlite_with_tables(folder)
        return
    from tests.support.storage.postgres import empty_tables

    with empty_tables() as url:
        yield url


def _on_one(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test once for each database; its stores are on that one."""
    global _on
    _on = request.param
    yield _on
    _give_all_back()
    _on = SQLITE


each_database = pytest.fixture(params=EACH)(_on_one)
both_databases = pytest.fixture(params=[SQLITE, POSTGRESQL])(_on_one)
"""The same, with both of them in the first tier: for the tests of what is stored."""


def _give_all_back() -> None:
    if not _kept:
        return
    from tests.support.storage.postgres import give_back

    for url in _kept.values():
        give_back(url)
    _kept.clear()


def database_in(folder: Path) -> str:
    """The address of a folder's own database with all tables: the same one each time, until the test ends."""
    if _on == SQLITE:
        return sqlite_with_tables(folder)
    if folder not in _kept:
        from tests.support.storage.postgres import borrow

        _kept[folder] = borrow()
    return _kept[folder]


@asynccontextmanager
async def empty_store(folder: Path) -> AsyncIterator[Database]:
    """In a file in ``folder``; on PostgreSQL in a test that is for ``each_database``."""
    with database_with_tables(folder) as url:
        async with open_database(url) as database:
            yield database


@contextmanager
def database_with_tables(folder: Path) -> Iterator[str]:
    """The address of a database that has all tables and no rows."""
    with module_database(_on, folder) as url:
        yield url


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """The address of an unused database, without tables."""
    if _on == SQLITE:
        yield f"sqlite:///{folder / 'presence.db'}"
        return
    from tests.support.storage.postgres import fresh_database

    with fresh_database() as url:
        yield url


def sqlite_with_tables(folder: Path, name: str = "presence.db") -> str:
    """The address of a file in ``folder`` with all tables; one that is there already stays as it is."""
    path = folder / name
    if not path.exists():
        path.write_bytes(_template())
    return f"sqlite:///{path}"


@cache
def _template() -> bytes:
    """A file with all tables and no rows, to be copied."""
    return made_once("sqlite", _create_tables).read_bytes()


def _create_tables(path: Path) -> None:
    from storage.schema import upgrade

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    configure_connections(engine)
    with engine.begin() as connection:
        upgrade(connection)


def integration(**values: Any) -> Integration:
    """An enabled integration, polled and its expiry read just now."""
    given = {
        "id": "i1",
        "owner_tenant": "t1",
        "name": "Vale Verde",
        "enabled": True,
        "created_at": NOON,
        "cloudlink_account_id": "account",
        "cloudlink_client_id": "client",
        "cloudlink_secret_sealed": "sealed",
        "tenant_id": "entra",
        "client_id": "app",
        "client_secret_sealed": "sealed",
        "webhook_token_sealed": "sealed",
        "webhook_token_hash": f"hash of {values.get('id', 'i1')}",
        "polled_at": NOON,
        "expiry_checked_at": NOON,
    }
    return Integration(**{**given, **values})


def with_secrets(row: Encrypted, encryption: Encryption, **secrets: str) -> Encrypted:
    """``row`` with these secrets in its columns, encrypted for their place."""
    return row.sqlmodel_update(
        {column: encryption.encrypt(secret, place_of(row, column)) for column, secret in secrets.items()}
    )


def decrypted(encryption: Encryption, row: SQLModel, column: str) -> str:
    """The secret in this column of ``row``. Raises ``SecretUnreadable``."""
    return encryption.decrypt(getattr(row, column), place_of(row, column))


def person(name: str = "p1", **values: Any) -> Person:
    """A matched person of integration ``i1``: ids and extension follow from ``name``.

    The phone was heard of when the wish changed.
    """
    given = {
        "heard_at": values.get("desired_at"),
        "id": name,
        "integration_id": "i1",
        "cloudlink_user_id": f"cloudlink {name}",
        "extension": f"ext {name}",
        "name": name,
        "address": f"{name}@example.com",
        "teams_user_id": f"teams {name}",
    }
    row = Person(**{**given, **values})
    row.search = searchable(row.name, row.address, row.extension)
    return row


async def stored(database: Database, *rows: Any) -> None:
    for row in rows:
        async with database.writing() as session:
            session.add(row)


async def read_person(database: Database, name: str = "p1") -> Person:
    async with database.session() as session:
        found = await session.get(Person, name)
    assert found is not None
    return found


async def read_integration(database: Database, name: str = "i1") -> Integration:
    async with database.session() as session:
        found = await session.get(Integration, name)
    assert found is not None
    return found
