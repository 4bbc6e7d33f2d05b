"""Migrates a database to the schema of this release, with Alembic; refuses a database of a newer release."""

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import URL, Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from core.errors import CloudLinkPresenceError
from storage.database import BUSY_AT_START, Database, sync_url

HEAD = "0040"
"""The newest migration; a test compares it with the folder ``migrations/versions``."""

MIGRATION_LOCK = 0xC10D
"""The number of the advisory lock a migration takes on PostgreSQL: processes that start together migrate once."""

MIGRATIONS = Path(__file__).parent / "migrations"

log = structlog.get_logger()


class NewerDatabase(CloudLinkPresenceError):
    """The database was used by a newer release, whose schema this one does not know."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The database is of a newer release (schema {version}) than this one (schema {HEAD}). "
            "Install that release again, or restore the backup made before it."
        )
        self.version = version


class UnversionedDatabase(CloudLinkPresenceError):
    """The database has tables of ours, but not the version they are of."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"The database already has a table {table}, but no version in alembic_version: it is an incomplete "
            "copy, or another program's. Restore the whole backup, or give an empty database in DATABASE_URL."
        )


async def migrate(database: Database) -> None:
    """Create or upgrade the tables, in one transaction. Raises ``NewerDatabase`` and ``UnversionedDatabase``.

    For a database that is up to date this is one query; for any other, Alembic is loaded in a thread.
    """
    version = await stored_version(database)
    if version == HEAD:
        return
    before = await asyncio.to_thread(_connect_and_upgrade, sync_url(database.engine.url))
    if before != HEAD:
        log.info("database_migrated", before=before or "empty", now=HEAD)


async def stored_version(database: Database) -> str | None:
    """The migration that the database is at; None for an empty one."""
    try:
        async with database.engine.connect() as connection:
            return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except DBAPIError:
        return None


def _connect_and_upgrade(url: URL) -> str | None:
    waiting = {"timeout": BUSY_AT_START} if url.drivername == "sqlite" else {}
    engine = create_engine(url, poolclass=NullPool, connect_args=waiting)
    try:
        with engine.begin() as connection:
            return upgrade_exclusively(connection)
    finally:
        engine.dispose()


def upgrade_exclusively(connection: Connection) -> str | None:
    """``upgrade``, locked against other processes until the transaction ends. Blocks. Raises as it does."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    return upgrade(connection)


def upgrade(connection: Connection) -> str | None:
    """Run the missing migrations up to ``HEAD`` on ``connection``; returns the version before. Blocks.

    Files of a newer release that lie in the folder are not run, and their database is refused.
    Raises ``NewerDatabase`` and ``UnversionedDatabase``.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions(head=HEAD)}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise NewerDatabase(current)
    if current is None and (ours := set(inspect(connection).get_table_names()) & set(SQLModel.metadata.tables)):
        raise UnversionedDatabase(min(ours))
    command.upgrade(config, HEAD)
    return current
