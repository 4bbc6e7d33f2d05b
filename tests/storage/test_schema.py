import asyncio
from pathlib import Path
from shutil import copytree

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from storage.database import Database, open_database, sync_url
from storage.schema import HEAD, MIGRATIONS, NewerDatabase, UnversionedDatabase, migrate, stored_version, upgrade


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_the_tables_as_the_code_has_them(url: str) -> None:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        assert upgrade(connection) is None
        context = MigrationContext.configure(connection, opts={"compare_type": connection.dialect.name != "sqlite"})
        assert compare_metadata(context, SQLModel.metadata) == []
        assert upgrade(connection) == HEAD


async def test_an_empty_database_gets_all_tables_and_a_second_start_changes_nothing(url: str) -> None:
    async with open_database(url) as database:
        await migrate(database)
        await migrate(database)
        assert set(SQLModel.metadata.tables) <= set(await tables_of(database))


async def test_concurrent_starts_migrate_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def start() -> None:
        async with open_database(url) as database:
            await migrate(database)

    await asyncio.gather(*(start() for _ in range(4)))
    assert capsys.readouterr().out.count("database_migrated") == 1


async def test_a_database_of_a_newer_release_is_refused_and_left_alone(url: str) -> None:
    async with open_database(url) as database:
        await migrate(database)
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerDatabase, match="9999"):
            await migrate(database)
        async with database.engine.connect() as connection:
            version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        assert version == "9999"


async def test_the_files_of_a_newer_release_change_neither(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an older release was unpacked over a newer one."""
    migrations = copytree(MIGRATIONS, tmp_path / "migrations")
    newer = 'revision = "9999"\ndown_revision = "{HEAD}"\nupgrade = lambda: None\n'.replace("{HEAD}", HEAD)
    (migrations / "versions/9999_of_a_newer_release.py").write_text(newer)
    monkeypatch.setattr("storage.schema.MIGRATIONS", migrations)
    async with open_database(url) as database:
        await migrate(database)
        assert await stored_version(database) == HEAD
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerDatabase, match="9999"):
            await migrate(database)


async def test_a_migration_that_fails_leaves_the_database_empty(url: str) -> None:
    async with open_database(url) as database:
        async with database.engine.begin() as connection:
            await connection.execute(text("CREATE VIEW person AS SELECT 1 AS id"))
        with pytest.raises(DBAPIError, match="person"):
            await migrate(database)
        assert await tables_of(database) == []


@pytest.mark.parametrize("lost", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
async def test_tables_without_their_version_are_named_with_what_to_do_and_left_alone(url: str, lost: str) -> None:
    async with open_database(url) as database:
        await migrate(database)
        async with database.engine.begin() as connection:
            await connection.execute(text(lost))
        before = await tables_of(database)
        with pytest.raises(UnversionedDatabase, match="Restore the whole backup"):
            await migrate(database)
        assert await tables_of(database) == before


async def test_tables_of_another_program_are_no_obstacle(url: str) -> None:
    async with open_database(url) as database:
        async with database.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE another_program (id TEXT)"))
        await migrate(database)
        assert {"another_program", "person"} <= set(await tables_of(database))


async def tables_of(database: Database) -> list[str]:
    async with database.engine.connect() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())
