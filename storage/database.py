"""Opens the database and lends sessions; SQLite by default (WAL, one writer at a time), or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, event, func, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

Row = TypeVar("Row")

CONNECTIONS = 10
"""So many are kept open in a process: opening one costs more than most of what it is used for."""


class Database:
    """Lends sessions on one engine. A session is one transaction: committed on leaving, rolled back on error."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writer = asyncio.Lock()

    @property
    def conninfo(self) -> str:
        """The address as PostgreSQL's own library reads it; it may hold a password."""
        return self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session that reads in order to write: on SQLite nobody else writes meanwhile.

        Writers queue in this process rather than fight for the file's lock. Never await the network inside,
        and never open another one inside: it would wait for itself.
        """
        if not self.is_sqlite:
            async with self.session() as session:
                yield session
            return
        async with self._writer, self.session() as session:
            await session.exec(text("BEGIN IMMEDIATE"))  # type: ignore[call-overload]
            yield session


def for_update(query: SelectOfScalar[Row], of: Any = None, *, skipping: bool = False) -> SelectOfScalar[Row]:
    """``query``, whose rows are nobody else's to change until the session ends, and are read as they are by then.

    Only on PostgreSQL, where writers do not wait for each other otherwise; ``of`` is the one table to lock. Rows
    that are somebody else's are waited for, or left out when ``skipping``.
    """
    return query.with_for_update(of=of, skip_locked=skipping).execution_options(populate_existing=True)


def insert_or_ignore(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An ``INSERT`` that passes over rows which are there already."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


async def advisory_lock(session: AsyncSession, *name: str) -> None:
    """Wait until the session of whoever asked for the same name before has ended: for rows that are not there yet.

    On SQLite writers take turns anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(sha256("\n".join(name).encode()).digest()[:8], signed=True)
        await session.exec(select(func.pg_advisory_xact_lock(number)))


DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def database_url(url: str) -> URL:
    """``url`` with the driver that is used here: ``postgresql://...`` and ``sqlite:///...`` need name none.

    Raises ``ValueError`` for another kind of database, or what is no such address; it does not repeat the address,
    which may hold a password.
    """
    try:
        read = make_url(url)
        return read.set(drivername=DRIVERS[read.drivername.partition("+")[0]])
    except (ArgumentError, KeyError):
        raise ValueError("is no address of an SQLite or PostgreSQL database (postgresql://...)") from None


def sync_url(url: str | URL) -> URL:
    """The same address for what blocks, such as Alembic."""
    read = database_url(url) if isinstance(url, str) else url
    return read.set(drivername="sqlite") if read.drivername.startswith("sqlite") else read


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """A database for the length of the block. Raises ``ValueError`` for an address that is none."""
    engine = create_async_engine(database_url(url), pool_pre_ping=True, pool_size=CONNECTIONS)
    configure_connections(engine.sync_engine)
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


def configure_connections(engine: Engine) -> None:
    """Have each connection set up as this program needs it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        from storage.postgres_text import strip_nul  # slow to import

        event.listen(engine, "connect", strip_nul)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
