"""One transaction on the driver's own connection, by a blocking function in a thread: no ORM, sets of rows.

A statement is written once for both databases: ``?`` is a parameter, ``FROM each(?)`` the rows of a parameter that
is a list of lists of text, with the columns ``each.0``, ``each.1`` and so on. ``FOR NO KEY UPDATE`` and what
follows it is for PostgreSQL only; on SQLite there is one writer at a time.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

import orjson
from sqlalchemy import JSON, Boolean, Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from storage.tables.columns import UtcDateTime

Row = TypeVar("Row")
Result = TypeVar("Result")

EACH, LOCK = "FROM each(?)", "FOR NO KEY UPDATE"
_COLUMN = re.compile(r"\beach\.(\d)")


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


@lru_cache(maxsize=2000)
def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return None if value is None else value.astimezone(UTC)


_DECODERS: tuple[tuple[type, Callable[[Any], Any]], ...] = ((UtcDateTime, _time), (Boolean, bool), (JSON, _json))


class Table(Generic[Row]):
    """How rows of ``table`` are read into ``kind``: a dataclass whose fields are columns, in any order.

    ``written`` are the columns that may have changed since.
    """

    def __init__(self, table: type[SQLModel], kind: type[Row], written: Sequence[str] = ()) -> None:
        columns = SQLModel.metadata.tables[str(table.__tablename__)].columns
        self.name = str(table.__tablename__)
        self.names = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]
        self.key = tuple(column.name for column in columns if column.primary_key)
        self.columns = ", ".join(f"{self.name}.{name}" for name in self.names)
        self.written = tuple(written)
        self.values = attrgetter(*self.names)
        self.state = attrgetter(*written) if len(written) > 1 else self.values
        self._kind = kind
        types = [columns[name].type for name in self.names]
        self._decoded = [
            (index, decode)
            for index, type_ in enumerate(types)
            for of_type, decode in _DECODERS
            if isinstance(type_, of_type)
        ]

    def read(self, stored: Sequence[Sequence[Any]]) -> list[Row]:
        """Rows as selected by ``columns``: decoded column by column, which takes half as long."""
        columns: list[Iterable[Any]] = list(zip(*stored, strict=True))
        for index, decode in self._decoded if stored else ():
            columns[index] = map(decode, columns[index])
        return list(starmap(self._kind, zip(*columns, strict=True)))

    def update(self, columns: Iterable[str]) -> str:
        """The statement that stores values of these columns in the row with the key behind them."""
        assigned = ", ".join(f"{name} = ?" for name in columns)
        key = " AND ".join(f"{name} = ?" for name in self.key)
        return f"UPDATE {self.name} SET {assigned} WHERE {key}"  # noqa: S608 names of our own

    @property
    def upsert(self) -> str:
        """The statement that stores ``values`` in a row that is there or not."""
        names, key, values = ", ".join(self.names), ", ".join(self.key), ", ".join("?" * len(self.names))
        others = ", ".join(f"{name} = excluded.{name}" for name in self.names if name not in self.key)
        inserted = f"INSERT INTO {self.name} ({names}) VALUES ({values})"  # noqa: S608 names of our own
        return f"{inserted} ON CONFLICT ({key}) DO UPDATE SET {others}"


class Transaction:
    """Statements on ``connection`` (DB-API). They raise the driver's errors."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._is_sqlite = is_sqlite
        self._encoders = _FOR_SQLITE if is_sqlite else _FOR_POSTGRESQL
        self._pipeline = ExitStack()
        self._is_writing = False

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, or of what ``RETURNING`` names."""
        self.end_writes()
        self._cursor.execute(translated(statement, self._is_sqlite), self._encoded(values))
        return list(self._cursor.fetchall())

    def read(self, table: Table[Row], condition: str, *values: Any) -> list[Row]:
        """The rows of ``table`` that meet the condition: what follows ``FROM`` and its name."""
        return table.read(self.rows(f"SELECT {table.columns} FROM {table.name} {condition}", *values))  # noqa: S608

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """The statement once for each row of values.

        On PostgreSQL what is written without reading in between is one pipeline: an error may be raised by the
        next read, or at the end.
        """
        if encoded := [self._encoded(row) for row in rows]:
            if not self._is_sqlite and not self._is_writing:
                self._pipeline.enter_context(self._connection.driver_connection.pipeline())
                self._is_writing = True
            self._cursor.executemany(translated(statement, self._is_sqlite), encoded)

    def end_writes(self) -> None:
        """Wait until everything is written."""
        self._is_writing = False
        self._pipeline.close()

    def _encoded(self, values: Iterable[Any]) -> list[Any]:
        encoders = self._encoders
        return [value if (kind := type(value)) in _PLAIN else encoders[kind](value) for value in values]


class Transactions(Protocol):
    async def run(self, function: Callable[[Transaction], Result]) -> Result:
        """What ``function`` returns, once its transaction is committed and durable. Raises ``SQLAlchemyError``."""
        ...


class ThreadedTransactions:
    """Each runs in one of ``threads``, on a connection of ``engine``: its commits must survive a loss of power."""

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, "transaction")

    async def run(self, function: Callable[[Transaction], Result]) -> Result:
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._threads, self._run, function))

    def _run(self, function: Callable[[Transaction], Result]) -> Result:
        dialect = self._engine.dialect
        driver = dialect.loaded_dbapi
        try:
            with closing(self._engine.raw_connection()) as connection:
                try:
                    return run(connection, function, is_sqlite=dialect.name == "sqlite")
                except driver.Error:
                    connection.invalidate()
                    raise
        except driver.Error as error:
            raise DBAPIError.instance(None, None, error, driver.Error, dialect=dialect) from error

    async def close(self) -> None:
        """Wait for what runs, without holding the loop."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


def run(connection: Any, function: Callable[[Transaction], Result], *, is_sqlite: bool) -> Result:
    """What ``function`` returns; raises the driver's errors."""
    transaction = Transaction(connection, is_sqlite=is_sqlite)
    try:
        if is_sqlite:
            connection.cursor().execute("BEGIN IMMEDIATE")
        result = function(transaction)
        transaction.end_writes()
        connection.commit()
    except BaseException:
        with suppress(Exception):
            transaction.end_writes()
        connection.rollback()
        raise
    return result


_PLAIN = frozenset({str, int, float, bool, type(None)})


class _Encoders(dict[type, Callable[[Any], Any]]):
    """How the driver takes values of a type, or of one derived from it; others unchanged."""

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        self[kind] = found = next((self[base] for base in kind.__mro__ if base in self), lambda value: value)
        return found


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


@lru_cache(maxsize=2000)
def _time_text(time: datetime) -> str:
    """As SQLAlchemy writes it on SQLite. What is stored together has few different times."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_FOR_POSTGRESQL = _Encoders({Enum: attrgetter("value"), list: _json_text, dict: _json_text})
_FOR_SQLITE = _Encoders({**_FOR_POSTGRESQL, datetime: _time_text})


@lru_cache(maxsize=200)
def translated(statement: str, is_sqlite: bool) -> str:
    """The statement as the database's driver takes it."""
    if is_sqlite:
        text = statement.partition(LOCK)[0].replace(EACH, "FROM json_each(?) AS each")
        return _COLUMN.sub(r"json_extract(each.value, '$[\1]')", text.replace("IS DISTINCT FROM", "IS NOT"))
    text = statement.replace(EACH, "FROM json_array_elements(CAST(? AS json)) AS each(value)")
    return _COLUMN.sub(r"(each.value ->> \1)", text).replace("?", "%s")


def listed(values: Iterable[str]) -> list[list[str]]:
    """Values as a parameter of ``each(?)``, in a fixed order."""
    return [[value.replace("\0", "")] for value in sorted(set(values))]


def paired(values: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Pairs, likewise; without NUL characters, which neither database has in text."""
    return [[each.replace("\0", "") for each in pair] for pair in sorted(set(values))]
