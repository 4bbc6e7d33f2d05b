"""Opens the database and provides sessions: SQLite by default (WAL, one writer at a time), or PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Engine, Executable, Table, create_engine, event, func, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionInTime
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from storage.sqlite_driver import open_connection
from storage.transaction import ThreadedTransactions, Transaction, Transactions

Row = TypeVar("Row")
Result = TypeVar("Result")

Guard = Callable[[AsyncSession], Awaitable[None]]
"""Checks, first in a transaction, whether it may write; raises if not."""

_BEGIN = text("BEGIN IMMEDIATE")

_guard: ContextVar[Guard | None] = ContextVar("guard", default=None)

BUSY, BUSY_AT_START = 5, 60
"""Seconds that SQLite waits for another process that writes; a start has nothing else to do."""

CONNECTIONS = 10
"""How many connections a process keeps open, for sessions and for ticks each: opening one costs more than most
statements do. It never has more, so that no crowd takes all that the server allows: others wait for one."""


class Database:
    """Provides sessions on one engine. A session is one transaction: committed on leaving, rolled back on error.

    ``transactions`` are those of the same database.
    """

    def __init__(self, engine: AsyncEngine, transactions: Transactions) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._transactions = transactions
        self._writer, self._turn = asyncio.Lock(), asyncio.Lock()

    @property
    def conninfo(self) -> str:
        """The address in the form PostgreSQL's own library reads; it may contain a password."""
        return self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session
            await session.commit()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session that reads in order to write: on SQLite there is no other writer until it ends.

        Writers queue in this process instead of competing for the file's lock, one of them for the next turn: so
        ``transact`` waits for one at most, however many there are, and every second turn is theirs. Never wait for
        the network inside, and never open a second one inside: it would wait for the first.
        """
        if not self.is_sqlite:
            async with self.session() as session:
                await _check(session)
                yield session
            return
        async with self._turn, self._writer, self.session() as session:
            await session.exec(_BEGIN)  # type: ignore[call-overload]
            await _check(session)
            yield session

    async def check(self) -> None:
        """Have the guard, if there is one, check whether what follows may be written; it raises if not."""
        if _guard.get():
            async with self.writing():
                pass

    async def transact(self, function: Callable[[Transaction], Result]) -> Result:
        """What ``function`` returns: it runs in a thread, in one transaction, which is durable on return.

        That costs one change of threads however many its statements are. It must not wait for anything else, and
        no guard checks it: it is not for what a person asks for. Raises ``SQLAlchemyError``, as a session does.
        """
        if not self.is_sqlite:
            return await self._transactions.run(function)
        async with self._writer:
            return await self._transactions.run(function)

    async def sync(self) -> None:
        """What was committed before is durable on return: on SQLite a session's commit alone is not."""
        if self.is_sqlite:
            await self.transact(_write_nothing_new)


@contextmanager
def guarded(guard: Guard | None) -> Iterator[None]:
    """Have ``guard`` check every writing session of the block, instead of any outer one; None checks none."""
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def _write_nothing_new(transaction: Transaction) -> None:
    """At the end of a transaction that wrote something SQLite syncs its log, with all commits before."""
    transaction.rows("PRAGMA user_version = 0")


async def _check(session: AsyncSession) -> None:
    guard = _guard.get()
    if guard:
        await guard(session)


def for_update(query: SelectOfScalar[Row], of: Any = None, *, skip_locked: bool = False) -> SelectOfScalar[Row]:
    """``query`` with its rows locked until the session ends, and read in their newest state.

    It locks on PostgreSQL only; on SQLite there is one writer at a time. ``of`` is the one table to lock. It
    waits for rows that are locked elsewhere, or leaves them out with ``skip_locked``. Meanwhile rows that refer to
    them may be added: no key changes.
    """
    locked = query.with_for_update(of=of, skip_locked=skip_locked, key_share=True)
    return locked.execution_options(populate_existing=True)


def insert_or_ignore(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An ``INSERT`` that ignores rows which exist already."""
    return _insert(session, table).on_conflict_do_nothing()


def upsert(session: AsyncSession, table: type[SQLModel], values: Collection[str], where: Any = None) -> Any:
    """An ``INSERT`` that replaces ``values`` in rows which exist already, if ``where`` is true of them."""
    insert = _insert(session, table)
    return _on_conflict(insert, table, {name: insert.excluded[name] for name in values}, where)


def insert_or_add(session: AsyncSession, table: type[SQLModel], count: str) -> Any:
    """An ``INSERT`` that adds the column ``count`` to that of a row which exists already."""
    insert = _insert(session, table)
    columns = cast(Table, table.__table__).c  # type: ignore[attr-defined]
    return _on_conflict(insert, table, {count: columns[count] + insert.excluded[count]})


def _on_conflict(insert: Any, table: type[SQLModel], values: Mapping[str, Any], where: Any = None) -> Any:
    keys = [column.name for column in cast(Table, table.__table__).primary_key]  # type: ignore[attr-defined]
    return insert.on_conflict_do_update(index_elements=keys, set_=values, where=where)


def _insert(session: AsyncSession, table: type[SQLModel]) -> Any:
    return (sqlite.insert if is_sqlite(session) else postgresql.insert)(table)


def is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


async def read_rows(session: AsyncSession, statement: Executable, **values: Any) -> Sequence[Any]:
    """The rows of a query for columns, without the ORM: of one that is built once, in a third of the time."""

    def read(session: Session) -> Sequence[Any]:
        session.flush()
        return session.connection().execute(statement, values).all()

    return await session.run_sync(read)


async def advisory_lock(session: AsyncSession, *name: str) -> None:
    """Lock ``name`` until the session ends, after any other session that holds it. For rows that may not exist yet.

    Does nothing on SQLite, where there is one writer at a time.
    """
    if not is_sqlite(session):
        number = int.from_bytes(sha256("\n".join(name).encode()).digest()[:8], signed=True)
        await session.exec(select(func.pg_advisory_xact_lock(number)))


PASSWORD = re.compile(r"(?<=://)([^:/@]*:[^@]*|[^:/@]*)@")
"""A user, with or without a password, before the host of an address."""

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


SILENCE: Mapping[str, str] = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
"""After 10 seconds a PostgreSQL whose machine is silent is given up (libpq, "Parameter Key Words").

Without it that takes a quarter of an hour for what was sent, and two hours for an answer that is waited for.
"""


def database_url(url: str) -> URL:
    """``url`` with the driver that is used here: ``postgresql://...`` and ``sqlite:///...`` need not name one.

    PostgreSQL's options in it take precedence over those for its ``SILENCE``.
    Raises ``ValueError`` for another kind of database and for text that is not a database address. The message
    does not repeat the address, which may contain a password.
    """
    if not url.startswith("sqlite") and PASSWORD.sub("", url).count("@") > 0:
        raise ValueError("has an @ in the user's name or password: write @ as %40")
    try:
        read = make_url(url)
        driver = DRIVERS[read.drivername.partition("+")[0]]
        return read.set(drivername=driver, query={**({} if "sqlite" in driver else SILENCE), **read.query})
    except (ArgumentError, KeyError, ValueError):
        raise ValueError("is no address of an SQLite or PostgreSQL database (postgresql://...)") from None


def sync_url(url: str | URL) -> URL:
    """The same address for blocking code, such as Alembic."""
    read = database_url(url) if isinstance(url, str) else url
    return read.set(drivername="sqlite") if read.drivername.startswith("sqlite") else read


@asynccontextmanager
async def open_database(url: str, busy: int = BUSY) -> AsyncIterator[Database]:
    """A database for the length of the block. Raises ``ValueError`` for an address that cannot be one.

    ``busy`` is how many seconds SQLite waits for another process that writes, before it raises an error.
    """
    address = database_url(url)
    if not address.drivername.startswith("sqlite"):
        limits = {"pool_size": CONNECTIONS, "max_overflow": 0}
        engine = create_async_engine(address, **limits)
        blocking = create_engine(sync_url(address), **limits)
    else:
        if address.database:
            _make_private_file(Path(address.database))
        driver = {"async_creator_fn": open_connection}
        engine = create_async_engine(address, pool_size=CONNECTIONS, connect_args=driver)
        blocking = create_engine(sync_url(address))
    configure_connections(engine.sync_engine, busy=busy)
    configure_connections(blocking, for_ticks=True, busy=busy)
    transactions = ThreadedTransactions(blocking, 1 if blocking.dialect.name == "sqlite" else CONNECTIONS)
    try:
        yield Database(engine, transactions)
    finally:
        await transactions.close()
        await engine.dispose()


def is_unavailable(error: BaseException) -> bool:
    """Whether the error says that the database does not answer, or has no connection left for us."""
    return isinstance(error, OperationalError | InterfaceError | NoConnectionInTime)


def make_private_folder(path: Path) -> None:
    """Create the folder for its owner alone (mode 0700), whatever the umask. An existing one is not changed."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)


def _make_private_file(path: Path) -> None:
    """Give SQLite's file, and those beside it, mode 0600 whatever the umask: SQLite copies the mode to the others.

    A file whose mode this process may not change keeps it, and so does a folder or device given by mistake; if it
    cannot be opened, SQLite raises the error.
    """
    with suppress(OSError):
        path.touch(0o600)
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.is_file():
                file.chmod(0o600)


def configure_connections(engine: Engine, *, for_ticks: bool = False, busy: int = BUSY) -> None:
    """Set up each new connection of ``engine`` as this program needs it.

    ``for_ticks``: each statement finds few rows, by an index. What is committed on SQLite survives a loss of power
    too, as it always does on PostgreSQL (SQLite: "PRAGMA synchronous", with a write-ahead log).
    """
    if engine.dialect.name == "sqlite":
        synchronous = "FULL" if for_ticks else "NORMAL"
        values = f"busy_timeout={1000 * busy}", "journal_mode=WAL", f"synchronous={synchronous}"
        event.listen(engine, "connect", partial(_configure_sqlite, values))
    else:
        from storage.postgres_connections import configure  # slow to import

        configure(engine, prefer_indexes=for_ticks)


def _configure_sqlite(values: Sequence[str], connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for value in (*values, "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {value}")
    cursor.close()
