"""Copies everything from an SQLite database to an empty PostgreSQL one, and reads it back to compare row by row.

The copy is one transaction of the target: an interruption leaves the target empty, and the copy can be started
again. The source is not changed, even when it is of an older release.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, func, insert, select, tuple_
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from core.errors import CloudLinkPresenceError
from storage import tables  # noqa: F401
from storage.database import configure_connections, database_url
from storage.schema import upgrade, upgrade_exclusively

BATCH = 500

Row = Mapping[str, Any]

Progress = Callable[[str, int, int], None]
"""Called after each batch with a table's name, its rows copied and compared so far, and its rows in all."""


class CannotCopy(CloudLinkPresenceError):
    """The message says why, for the operator who started the copy."""


def copy_to_postgres(source: Path, target: str, progress: Progress) -> dict[str, int]:
    """Copy the file ``source`` to the database ``target``; returns the number of rows by table name.

    Blocks. Raises ``CannotCopy``, ``NewerDatabase``, and ``OperationalError`` when the target does not answer.
    """
    try:
        with _source_connection(source) as reading, _target_connection(target) as writing:
            return {table.name: _copy_table(reading, writing, table, progress) for table in _tables()}
    except (DataError, IntegrityError, ProgrammingError) as error:
        if getattr(error.orig, "sqlstate", None) is None:
            raise  # the client's library refuses the address, before there is a server
        raise CannotCopy(f"The target refused it: {str(error.orig).splitlines()[0]}") from None


def _tables() -> Sequence[Table]:
    """Tables that others refer to come first."""
    return SQLModel.metadata.sorted_tables


@contextmanager
def _source_connection(source: Path) -> Iterator[Connection]:
    """The file, locked against other processes, at the newest schema; that migration is rolled back at the end."""
    if not source.exists():
        raise CannotCopy(f"There is no store at {source}.")
    engine = create_engine(f"sqlite:///{source}", poolclass=NullPool, connect_args={"timeout": 1})
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql("PRAGMA locking_mode = EXCLUSIVE")
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        except OperationalError:
            raise CannotCopy(f"{source} is in use. Stop the bot: what it still writes would be lost.") from None
        upgrade(connection)
        yield connection
        connection.rollback()


@contextmanager
def _target_connection(target: str) -> Iterator[Connection]:
    """The database with all its tables, empty, and locked against other writers until everything is committed."""
    engine = create_engine(database_url(target), poolclass=NullPool)
    configure_connections(engine)
    with engine.begin() as connection:
        upgrade_exclusively(connection)
        names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in _tables())
        connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
        filled = [table.name for table in _tables() if connection.execute(select(table).limit(1)).first()]
        if filled:
            raise CannotCopy(f"The target is not empty: {', '.join(filled)}.")
        yield connection


def _copy_table(reading: Connection, writing: Connection, table: Table, progress: Progress) -> int:
    total, done = _count(reading, table), 0
    for rows in _batches(reading, table):
        writing.execute(insert(table), rows)
        _compare(writing, table, rows)
        done += len(rows)
        progress(table.name, done, total)
    if not done == total == _count(writing, table):
        raise CannotCopy(f"The target does not have as many rows as the source: {table.name}.")
    return total


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execution_options(yield_per=BATCH).execute(select(table))
    for part in result.mappings().partitions(BATCH):
        yield [dict(row) for row in part]


def _compare(writing: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Read ``rows`` back. Raises ``CannotCopy``, which names the first row that differs."""
    keys = {_key(table, row): _without_nul(row) for row in rows}
    query = select(table).where(tuple_(*table.primary_key.columns).in_(keys))
    found = {_key(table, row): row for row in map(dict, writing.execute(query).mappings())}
    for key, row in keys.items():
        if found.get(key) != row:
            raise CannotCopy(f"A row came back from the target unlike it was sent: {table.name} {key}.")


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    stored = _without_nul(row)
    return tuple(stored[column.name] for column in table.primary_key.columns)


def _without_nul(row: Row) -> dict[str, Any]:
    """The row as PostgreSQL stores it: it keeps no NUL character in a text."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in row.items()}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
