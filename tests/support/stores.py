"""An empty store, on either database, and rows for it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database, open_database
from storage.schema import migrate
from storage.tables.integrations import Integration
from storage.tables.people import Person
from tests.support.clocks import NOON
from tests.support.postgres import create, drop, fresh_database, with_tables

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

_on = SQLITE
_kept: dict[Path, str] = {}


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def each_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test once for each database; its stores are on that one."""
    global _on
    _on = request.param
    yield _on
    for url in _kept.values():
        drop(url)
    _kept.clear()
    _on = SQLITE


def database_in(folder: Path) -> str:
    """The address of a folder's own database with all tables: the same one each time, until the test ends."""
    if _on == SQLITE:
        return f"sqlite:///{folder / 'presence.db'}"
    if folder not in _kept:
        _kept[folder] = create(with_tables())
    return _kept[folder]


@asynccontextmanager
async def empty_store(folder: Path) -> AsyncIterator[Database]:
    """In a file in ``folder``; on PostgreSQL in a test that is for ``each_database``."""
    with empty_database(folder, with_tables) as url:
        async with open_database(url) as database:
            await migrate(database)
            yield database


@contextmanager
def empty_database(folder: Path, template: Callable[[], str] = lambda: "template1") -> Iterator[str]:
    """The address of an unused database; on PostgreSQL it may be made from a ``template``."""
    if _on == POSTGRESQL:
        with fresh_database(template()) as url:
            yield url
    else:
        yield f"sqlite:///{folder / 'presence.db'}"


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


def person(name: str = "p1", **values: Any) -> Person:
    """A matched person of integration ``i1``: ids and extension follow from ``name``."""
    given = {
        "id": name,
        "integration_id": "i1",
        "cloudlink_user_id": f"cloudlink {name}",
        "extension": f"ext {name}",
        "name": name,
        "address": f"{name}@example.com",
        "teams_user_id": f"teams {name}",
    }
    return Person(**{**given, **values})


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
