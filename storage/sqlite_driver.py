"""SQLite's driver for SQLAlchemy: aiosqlite, with one change of thread for a statement instead of four.

Each change of thread costs about as much as a small statement. aiosqlite makes one to open a cursor, to execute, to
fetch and to close; here one call in the connection's thread does all of it, so results are read whole.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

Rows = deque[tuple[Any, ...]]


class SqliteConnection(aiosqlite.Connection):
    """A connection whose cursors read whole results, and which rolls back only what was begun."""

    def cursor(self) -> "SqliteCursor":  # type: ignore[override]
        return SqliteCursor(self)

    async def rollback(self) -> None:
        if self.in_transaction:
            await super().rollback()

    async def commit(self) -> None:
        if self.in_transaction:
            await super().commit()


class SqliteCursor:
    """The part of aiosqlite's cursor that SQLAlchemy uses."""

    arraysize = 1

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: Rows = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        return await self._run(lambda cursor: cursor.execute(statement, parameters))

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> Self:
        return await self._run(lambda cursor: cursor.executemany(statement, parameters))

    async def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.popleft() if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return await self.fetchmany(len(self._rows))

    async def close(self) -> None:
        self._rows.clear()

    async def _run(self, execute: Callable[[sqlite3.Cursor], Any]) -> Self:
        self._rows = await self._connection._execute(self._read_whole, execute)  # type: ignore[no-untyped-call]
        return self

    def _read_whole(self, execute: Callable[[sqlite3.Cursor], Any]) -> Rows:
        """In the connection's thread."""
        cursor = self._connection._conn.cursor()
        try:
            execute(cursor)
            rows = deque(cursor.fetchall())
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()
        return rows


def open_connection(database: str, **options: Any) -> SqliteConnection:
    """A connection that is opened when it is awaited; its thread does not outlive the process."""
    connection = SqliteConnection(partial(sqlite3.connect, database, **options), iter_chunk_size=1)
    connection._thread.daemon = True
    return connection
