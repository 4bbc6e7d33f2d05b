"""Copies everything from an SQLite store to an empty PostgreSQL one, and reads it back to compare row by row.

All of it is one transaction of the target: whatever ends it half-way leaves the target empty, and it can be begun
again. The source is left as it was, even where it is of an older release.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, func, insert, select, tuple_
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from storage import tables  # noqa: F401
from storage.database import configure_connections, database_url
from storage.schema import upgrade, upgrade_exclusively

SLICE = 500

Row = Mapping[str, Any]

Told = Callable[[str, int, int], None]
"""Is told a table's name, how many of its rows are copied and compared, and how many there are."""


class CannotCopy(Exception):
    """A sentence for whoever asked for the copy."""


def copy_to_postgres(source: Path, target: str, told: Told) -> dict[str, int]:
    """Copy the file ``source`` to the database ``target``; returns how many rows each table has.

    Blocks. Raises ``CannotCopy``, ``NewerDatabase``, and ``OperationalError`` where the target does not answer.
    """
    try:
        with _opened(source) as reading, _emptied(target) as writing:
            return {table.name: _copy_table(reading, writing, table, told) for table in _tables()}
    except (DataError, IntegrityError, ProgrammingError) as error:
        raise CannotCopy(f"The target refused it: {str(error.orig).splitlines()[0]}") from None


def _tables() -> Sequence[Table]:
    """Those that others refer to come first."""
    return SQLModel.metadata.sorted_tables


@contextmanager
def _opened(source: Path) -> Iterator[Connection]:
    """The file, which nobody else has open meanwhile; what a migration changes in it is taken back."""
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
def _emptied(target: str) -> Iterator[Connection]:
    """The database with all its tables, empty, and nobody else's to write in until everything is committed."""
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


def _copy_table(reading: Connection, writing: Connection, table: Table, told: Told) -> int:
    total, done = _count(reading, table), 0
    for rows in _slices(reading, table):
        writing.execute(insert(table), rows)
        _compare(writing, table, rows)
        done += len(rows)
        told(table.name, done, total)
    if not done == total == _count(writing, table):
        raise CannotCopy(f"The target does not have as many rows as the source: {table.name}.")
    return total


def _slices(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execution_options(yield_per=SLICE).execute(select(table))
    for part in result.mappings().partitions(SLICE):
        yield [dict(row) for row in part]


def _compare(writing: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Read ``rows`` back. Raises ``CannotCopy``, which names the first that is not as it was."""
    keys = {_key(table, row): _plain(row) for row in rows}
    query = select(table).where(tuple_(*table.primary_key.columns).in_(keys))
    found = {_key(table, row): row for row in map(dict, writing.execute(query).mappings())}
    for key, row in keys.items():
        if found.get(key) != row:
            raise CannotCopy(f"A row came back from the target unlike it was sent: {table.name} {key}.")


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    plain = _plain(row)
    return tuple(plain[column.name] for column in table.primary_key.columns)


def _plain(row: Row) -> dict[str, Any]:
    """As PostgreSQL keeps it: a text has no NUL there."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in row.items()}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
