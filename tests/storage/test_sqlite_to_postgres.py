"""Everything is copied unchanged, or nothing is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    LargeBinary,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from storage.database import open_database, sync_url
from storage.schema import NewerDatabase, migrate
from storage.sqlite_to_postgres import BATCH, CannotCopy, copy_to_postgres
from storage.tables.columns import UtcDateTime
from tests.support.storage.postgres import WITH_TABLES, fresh_database
from tests.support.storage.stores import integration, sqlite_with_tables, stored

TABLES = SQLModel.metadata.sorted_tables
NAMES = [table.name for table in TABLES]


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Not here: this goes from the one to the other."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A store with rows in every table."""
    path = tmp_path / "presence.db"
    fill(path, rows=3)
    return path


@pytest.fixture
def target() -> Iterator[str]:
    with fresh_database() as url:
        yield url


def value_of(column: Column[Any], number: int) -> Any:
    """A value whose change would be noticed; the same for a key and for what refers to it."""
    if column.nullable and number == 2:
        return None
    name = "" if column.foreign_keys or column.primary_key else column.name
    samples = {
        UtcDateTime: datetime(2026, 3, 29, 0, 59, 59, 999999 - number, tzinfo=UTC),
        Date: date(2027, 2, 28) + timedelta(days=number),
        Boolean: bool(number % 2),
        BigInteger: 2**53 - number,
        LargeBinary: bytes([0, 255, number % 256]),
        Integer: 2**31 - 1 - number,
        JSON: {"text": 'a "b" \\ ç', "list": [1, 2.5, None, True], "number": number},
    }
    text = f"{name} ção 🦜 \\ ' {number}"
    return next((value for kind, value in samples.items() if isinstance(column.type, kind)), text)


def fill(path: Path, rows: int) -> None:
    engine = create_engine(sqlite_with_tables(path.parent, path.name), poolclass=NullPool)
    with engine.begin() as connection:
        for table in TABLES:
            values = [{c.name: value_of(c, n) for c in table.columns} for n in range(rows)]
            connection.execute(insert(table), values)


def rows_of(url: str, table: Table) -> list[dict[str, Any]]:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
    return sorted(found, key=lambda row: [str(row[column.name]) for column in table.primary_key.columns])


def no_progress(name: str, done: int, total: int) -> None: ...


def is_empty(url: str) -> bool:
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        made = connection.execute(query).fetchone()
    return made == (0,) or not any(rows_of(url, table) for table in TABLES)


def test_every_row_of_every_table_is_copied_unchanged(source: Path, target: str) -> None:
    reported: list[tuple[str, int, int]] = []
    counts = copy_to_postgres(source, target, lambda *one: reported.append(one))
    assert counts == dict.fromkeys(NAMES, 3)
    assert reported == [(name, 3, 3) for name in NAMES]
    for table in TABLES:
        before = rows_of(f"sqlite:///{source}", table)
        assert len(before) == 3
        assert rows_of(target, table) == before


async def test_a_target_with_tables_and_no_rows_is_accepted(source: Path) -> None:
    with fresh_database(WITH_TABLES) as target:
        assert copy_to_postgres(source, target, no_progress)["person"] == 3
        async with open_database(target) as database:
            await migrate(database)


async def test_a_target_that_is_not_empty_is_refused_and_left_alone(source: Path, target: str) -> None:
    async with open_database(target) as database:
        await migrate(database)
        await stored(database, integration())
    with pytest.raises(CannotCopy, match="not empty: integration"):
        copy_to_postgres(source, target, no_progress)
    assert [len(rows_of(target, table)) for table in TABLES] == [int(name == "integration") for name in NAMES]


async def test_a_source_that_is_in_use_is_refused(tmp_path: Path, source: Path, target: str) -> None:
    async with open_database(f"sqlite:///{source}") as database:
        await migrate(database)
        with pytest.raises(CannotCopy, match="in use"):
            copy_to_postgres(source, target, no_progress)
    assert is_empty(target)
    assert copy_to_postgres(source, target, no_progress)["person"] == 3


def test_a_missing_source_is_not_created(tmp_path: Path, target: str) -> None:
    with pytest.raises(CannotCopy, match=r"no store at .*presence\.db"):
        copy_to_postgres(tmp_path / "presence.db", target, no_progress)
    assert not (tmp_path / "presence.db").exists()


def test_an_interruption_leaves_the_target_empty(source: Path, target: str) -> None:
    def dies(name: str, done: int, total: int) -> None:
        if name == NAMES[-1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_to_postgres(source, target, dies)
    assert is_empty(target)
    assert copy_to_postgres(source, target, no_progress) == dict.fromkeys(NAMES, 3)


@pytest.mark.parametrize(
    ("makes", "says"),
    [("NEW.name = upper(NEW.name); RETURN NEW", "unlike it was sent: person"), ("RETURN NULL", "unlike")],
)
def test_a_row_that_is_read_back_differently_ends_the_copy(makes: str, says: str, source: Path) -> None:
    with fresh_database(WITH_TABLES) as target:
        with psycopg.connect(target) as connection:
            body = f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {makes}; END $$"
            connection.execute(body)
            connection.execute("CREATE TRIGGER t BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION meddle()")
        with pytest.raises(CannotCopy, match=says):
            copy_to_postgres(source, target, no_progress)
        assert is_empty(target)


def test_a_refusal_of_the_target_is_a_sentence(source: Path) -> None:
    with fresh_database(WITH_TABLES) as target:
        with psycopg.connect(target) as connection:
            connection.execute("ALTER TABLE person ADD CHECK (name = '')")
        with pytest.raises(CannotCopy, match="The target refused it") as refusal:
            copy_to_postgres(source, target, no_progress)
        assert "\n" not in str(refusal.value)


def test_a_nul_in_a_text_is_stripped(source: Path, target: str) -> None:
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE person SET name = 'a' || char(0) || 'b', cloudlink_user_id = char(0) || id")
    copy_to_postgres(source, target, no_progress)
    (person,) = [table for table in TABLES if table.name == "person"]
    assert {row["name"] for row in rows_of(target, person)} == {"ab"}


@pytest.mark.long
def test_more_rows_than_a_batch(tmp_path: Path, target: str) -> None:
    rows = 2 * BATCH + 1
    path = tmp_path / "presence.db"
    fill(path, rows)
    reported: list[int] = []
    assert copy_to_postgres(path, target, lambda _, done, total: reported.append(done)) == dict.fromkeys(
        NAMES, rows
    )
    assert reported == [BATCH, 2 * BATCH, rows] * len(NAMES)


def test_an_older_source_is_migrated_in_the_copy_alone(tmp_path: Path, target: str) -> None:
    from alembic import command
    from alembic.config import Config

    from storage.schema import MIGRATIONS

    path = tmp_path / "presence.db"
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    before = path.read_bytes()
    assert copy_to_postgres(path, target, no_progress) == dict.fromkeys(NAMES, 0)
    with closing(sqlite3.connect(path)) as left:
        assert left.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    assert path.read_bytes() == before


def test_a_newer_source_is_refused(source: Path, target: str) -> None:
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerDatabase):
        copy_to_postgres(source, target, no_progress)
    assert is_empty(target)
