from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlmodel import SQLModel

from storage.database import open_database
from storage.schema import HEAD, MIGRATIONS, NewerDatabase, migrate, upgrade


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_the_tables_as_the_code_has_them() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


async def test_an_empty_database_gets_all_tables_and_a_second_start_changes_nothing(tmp_path: Path) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        await migrate(database)
        await migrate(database)
        async with database.engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert set(SQLModel.metadata.tables) <= set(names)


async def test_a_database_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        await migrate(database)
        async with database.writing() as session:
            await session.exec(text("UPDATE alembic_version SET version_num = '9999'"))  # type: ignore[call-overload]
        with pytest.raises(NewerDatabase, match="9999"):
            await migrate(database)
        async with database.engine.connect() as connection:
            version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        assert version == "9999"


async def test_a_migration_that_fails_leaves_the_database_empty(tmp_path: Path) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        async with database.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE person (id TEXT)"))
        with pytest.raises(Exception, match="person"):
            await migrate(database)
        async with database.engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert names == ["person"]
