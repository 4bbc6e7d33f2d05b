"""``python app.py copy-database``, as a process: from the file under ``DATA_DIR`` to a real PostgreSQL."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.processes import app_process, run_app
from tests.support.storage.postgres import fresh_database

ACTS = 30_000


@pytest.fixture
def target() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The database of a bot with a long history."""
    assert run_app(tmp_path, "migrate")[0] == 0
    acts = ((str(number), "t1", "", "", "ada", "Ada", "enable", "done", "{}") for number in range(ACTS))
    with closing(sqlite3.connect(tmp_path / "data/presence.db")) as store, store:
        store.executemany("INSERT INTO act VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '2026-11-23 12:00:00')", acts)
    return tmp_path


def acts_in(target: str) -> int:
    with psycopg.connect(target) as connection:
        if connection.execute("SELECT to_regclass('act')").fetchone() == (None,):
            return 0
        found = connection.execute("SELECT count(*) FROM act").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.long
def test_killed_half_way_it_leaves_nothing_and_can_be_repeated(folder: Path, target: str) -> None:
    with app_process(folder, "copy-database", DATABASE_URL=target) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"act: 5000 of {ACTS}\n"
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert acts_in(target) == 0
    code, output, errors = run_app(folder, "copy-database", DATABASE_URL=target)
    assert (code, errors, acts_in(target)) == (0, "", ACTS)
    lines = output.splitlines()
    assert f"act: {ACTS} of {ACTS}" in lines
    assert lines[-2].startswith(f"Copied and compared, row by row: act {ACTS}, ")
    assert run_app(folder, "copy-database", DATABASE_URL=target)[0] == 2
    assert acts_in(target) == ACTS


def test_it_refuses_while_the_bot_is_running(folder: Path, target: str) -> None:
    with app_process(folder, "serve", DANGEROUSLY_ALLOW_UNAUTHENTICATED="true") as bot:
        assert bot.stdout is not None
        assert any("listening" in line for line in iter(bot.stdout.readline, ""))
        code, output, errors = run_app(folder, "copy-database", DATABASE_URL=target)
    assert (code, output) == (2, "")
    assert "in use. Stop the bot" in errors
    assert acts_in(target) == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "DATABASE_URL: must name the PostgreSQL database"),
        ("sqlite:///elsewhere.db", "DATABASE_URL: must name the PostgreSQL database"),
        ("postgresql://bot:hunter2hunter2@127.0.0.1:1/presence", "The database does not answer"),
    ],
)
def test_without_a_target_it_says_so(url: str, says: str, tmp_path: Path) -> None:
    assert run_app(tmp_path, "migrate")[0] == 0
    code, output, errors = run_app(tmp_path, "copy-database", DATABASE_URL=url)
    assert (code, output, "Traceback" in errors) == (2, "", False)
    assert says in errors
    assert "hunter2" not in errors
