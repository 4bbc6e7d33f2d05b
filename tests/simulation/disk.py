"""The real SQLite file, used without threads by connections which a killed process loses without closing them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import CONNECTIONS, Database, configure_connections
from storage.transaction import Transaction, run

SLOW_SHARE, SLOWEST = 0.15, 0.03
"""How many statements take virtual time, and how long at most (seconds)."""


Result = TypeVar("Result")


class Disk:
    """The database file of one process after another, which share what SQLAlchemy has compiled."""

    def __init__(self) -> None:
        self._path = Path()
        self._random = Random()
        self._open: list[sqlite3.Connection] = []
        self._transactions: DurableTransactions | None = None
        self._synced: dict[str, bytes] = {}
        self.is_full = False
        self._engine = create_engine("sqlite:///", creator=self._connect, pool_size=CONNECTIONS)
        configure_connections(self._engine)

    def insert(self, path: Path, random: Random) -> None:
        """Begin another day, with another file: what the last tasks of the day before opened is none of it."""
        self.kill()
        self._path, self._random, self.is_full = path, random, False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=0)
        self._open.append(connection)
        return connection

    def database(self) -> Database:
        """The database of a new process."""
        self._transactions = DurableTransactions(self._path, self._random, self._sync)
        return SteppedDatabase(self._engine, self._transactions, self.step)

    async def step(self) -> None:
        """Others run, and a kill may come, before each statement and each commit. Raises ``OperationalError``."""
        await pass_time(self._random)
        if self.is_full:
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError(None, None, full) from full

    def kill(self) -> None:
        """The process is gone: what it had not committed is rolled back."""
        for connection in self._open:
            connection.close()
        if self._transactions:
            self._transactions.kill()
        self._open, self._transactions = [], None
        self._engine.dispose(close=False)

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
        """Whether a commit returns only when it is on the disk."""
        return all(each.execute("PRAGMA synchronous").fetchone()[0] >= 2 for each in self._open)


class SteppedDatabase(Database):
    """Runs each statement in the caller's thread. ``step`` is awaited between them."""

    def __init__(self, engine: Any, transactions: "DurableTransactions", step: "Step") -> None:
        super().__init__(engine, transactions)
        self._step = step
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        connection = self._idle.pop() if self._idle else cast(Connection, self.engine.connect())
        with Session(connection, expire_on_commit=False) as blocking, blocking.begin():
            yield cast(AsyncSession, SteppedSession(blocking, self._step))
            await self._step()
        self._idle.append(connection)


Step = Callable[[], Any]


class SteppedSession:
    """The part of ``AsyncSession`` that the product uses: half of the processor time, and no greenlets."""

    def __init__(self, blocking: Session, step: Step) -> None:
        self._blocking = blocking
        self._step = step
        self.add, self.add_all, self.get_bind = blocking.add, blocking.add_all, blocking.get_bind
        for name in ("exec", "get", "merge", "delete", "flush", "refresh"):
            setattr(self, name, self._stepped(getattr(blocking, name)))
        self.run_sync = self._stepped(lambda read: read(blocking))

    def _stepped(self, act: Callable[..., Any]) -> Callable[..., Any]:
        async def stepped(*values: Any, **options: Any) -> Any:
            await self._step()
            return act(*values, **options)

        return stepped

    async def connection(self) -> "SteppedConnection":
        return SteppedConnection(self._stepped(self._blocking.connection().execute))


class SteppedConnection:
    def __init__(self, execute: Callable[..., Any]) -> None:
        self.execute = execute


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
