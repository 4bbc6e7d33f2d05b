"""``python app.py migrate``, as processes, on both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from storage.database import sync_url
from tests.support.processes import app_process, run_app
from tests.support.storage.stores import each_database as each_database
from tests.support.storage.stores import empty_database


@pytest.fixture
def url(each_database: str, tmp_path: Path) -> Iterator[str]:
    with empty_database(tmp_path) as url:
        yield url


def tables(url: str) -> set[str]:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_processes_that_start_together_migrate_once(url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(app_process(tmp_path, "migrate", DATABASE_URL=url)) for _ in range(4)]
        ended = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ended
    assert sum(output.count("database_migrated") for output, _ in ended) == 1
    assert set(SQLModel.metadata.tables) <= tables(url)


def test_a_newer_database_is_refused_with_a_sentence(url: str, tmp_path: Path) -> None:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    code, output, errors = run_app(tmp_path, "migrate", DATABASE_URL=url)
    assert (code, "Traceback" in output + errors) == (2, False)
    assert "newer release (schema 9999)" in errors
    assert tables(url) == {"alembic_version"}


def test_the_default_is_a_file_under_the_data_directory(tmp_path: Path) -> None:
    assert run_app(tmp_path, "migrate")[0] == 0
    assert set(SQLModel.metadata.tables) <= tables(f"sqlite:///{tmp_path / 'data/presence.db'}")


@pytest.mark.parametrize(
    "url", ["postgresql://bot:hunter2hunter2@127.0.0.1:1/presence", "sqlite:////nowhere/at/all.db"]
)
def test_a_database_that_does_not_answer_is_a_sentence(url: str, tmp_path: Path) -> None:
    code, output, errors = run_app(tmp_path, "migrate", DATABASE_URL=url)
    assert (code, "Traceback" in output + errors) == (2, False)
    assert "The database does not answer" in errors
    assert "hunter2" not in output + errors
