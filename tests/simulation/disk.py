"""The real SQLite file, used by connections without threads, which a killed process loses without closing them."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import Database, configure_connections
from storage.sqlite_driver import SqliteConnection
from storage.transaction import Transaction, run

SLOW_SHARE, SLOWEST = 0.15, 0.03
"""How many statements take virtual time, and how long at most (seconds)."""


Result = TypeVar("Result")


class Disk:
    """The database file of one process after another, which share what SQLAlchemy has compiled."""

    def __init__(self) -> None:
        self._path = Path()
        self._random = Random()
        self._open: list[Connection] = []
        self._transactions: DurableTransactions | None = None
        self._synced: dict[str, bytes] = {}
        self.is_full = False
        self._engine = create_async_engine(
            "sqlite+aiosqlite:///presence.db", async_creator=self._connect, pool_size=10
        )
        configure_connections(self._engine.sync_engine)
        asyncio.run(self._connect_once())

    async def _connect_once(self) -> None:
        """What SQLAlchemy asks of a database once is asked here, so that the first day is like all others."""
        with TemporaryDirectory() as folder:
            self._path = Path(folder) / "first.db"
            async with self._engine.connect():
                pass
            self.kill()

    def insert(self, path: Path, random: Random) -> None:
        """Begin another day, with another file: what the last tasks of the day before opened is none of it."""
        self.kill()
        self._path, self._random, self.is_full = path, random, False

    async def _connect(self) -> Any:
        connection = Connection(self._path, self._random, lambda: self.is_full)
        self._open.append(connection)
        return await connection

    def database(self) -> Database:
        """The database of a new process."""
        self._transactions = DurableTransactions(self._path, self._random, self._sync)
        return Database(self._engine, self._transactions)

    def kill(self) -> None:
        """The process is gone: what it had not committed is rolled back."""
        for connection in self._open:
            connection.kill()
        if self._transactions:
            self._transactions.kill()
        self._open, self._transactions = [], None
        self._engine.sync_engine.dispose(close=False)

    def remember(self) -> None:
        """What a power cut will leave, unless each commit waits for the disk."""
        self._synced = {} if self._waits_for_disk() else {path.name: path.read_bytes() for path in self._files()}

    def _sync(self) -> None:
        """A commit waited for the disk: with it, all before it are there."""
        if self._synced:
            self.remember()

    def cut_power(self) -> None:
        """As ``kill``; of SQLite's commits without a sync, those since ``remember`` are lost."""
        self.kill()
        if self._synced:
            for path in self._files():
                path.unlink()
            for name, content in self._synced.items():
                (self._path.parent / name).write_bytes(content)
        self._synced = {}

    def _files(self) -> list[Path]:
        """The file and its log; the index of the log is made again when it is opened."""
        names = (self._path.name, f"{self._path.name}-wal")
        return [self._path.parent / name for name in names if (self._path.parent / name).exists()]

    def _waits_for_disk(self) -> bool:
        return all(connection.waits_for_disk for connection in self._open)


class Connection(SqliteConnection):
    """Runs each statement in the caller's thread; some take virtual time: others run, and a kill may come."""

    def __init__(self, path: Path, random: Random, is_full: Callable[[], bool]) -> None:
        super().__init__(lambda: sqlite3.connect(path, timeout=0), iter_chunk_size=64)
        self._random = random
        self._is_full = is_full

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        return self._open().__await__()

    async def _open(self) -> aiosqlite.Connection:
        self._connection = self._connector()
        return self

    @property
    def waits_for_disk(self) -> bool:
        """Whether a commit returns only when it is on the disk."""
        raw = self._connection
        return raw is None or raw.execute("PRAGMA synchronous").fetchone()[0] >= 2

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What aiosqlite hands to its thread."""
        if self._is_full() and fn.__name__ in ("_read_whole", "commit"):
            raise sqlite3.OperationalError("database or disk is full")
        result = fn(*args, **kwargs)
        await pass_time(self._random)
        return result

    async def close(self) -> None:
        """There is no thread to be waited for."""
        self.kill()

    def kill(self) -> None:
        raw, self._connection = self._connection, None
        if raw is None:
            return
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raw.close()


class DurableTransactions:
    """Runs each transaction in the caller's thread: it begins and ends after some virtual time."""

    def __init__(self, path: Path, random: Random, sync: Callable[[], None]) -> None:
        self._random = random
        self._sync = sync
        self._connection = sqlite3.connect(path, timeout=0)
        self._connection.execute("PRAGMA synchronous=FULL")

    async def run(self, function: Callable[[Transaction], Result]) -> Result:
        await pass_time(self._random)
        try:
            result = run(self._connection, function, is_sqlite=True)
            self._sync()
        except sqlite3.Error as error:
            raise OperationalError(None, None, error) from error
        await pass_time(self._random)
        return result

    def kill(self) -> None:
        self._connection.close()


async def pass_time(random: Random) -> None:
    if random.random() < SLOW_SHARE:
        await asyncio.sleep(random.uniform(0, SLOWEST))
