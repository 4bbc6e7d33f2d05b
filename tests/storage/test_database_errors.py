"""What the log says of a database's error: which one it is, and nothing of its text."""

import re

import pytest
import structlog
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from core.logging import describe_error
from storage.database import database_url
from tests.support.captured_log import captured_log
from tests.support.storage.postgres import fresh_database


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Each test names its own."""


def raised(url: str, statement: str) -> Exception:
    """What SQLAlchemy raises for ``statement`` on a database that may not be there."""
    engine = create_engine(database_url(url).set(drivername=url.partition(":")[0]), poolclass=NullPool)
    with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
        connection.exec_driver_sql(statement)
    return caught.value


@pytest.mark.parametrize(
    ("url", "statement", "described"),
    [
        ("sqlite:///missing/folder/hunter2", "SELECT 1", "OperationalError(SQLITE_CANTOPEN)"),
        ("sqlite://", "SELECT hunter2", "OperationalError(SQLITE_ERROR)"),
        ("postgresql+psycopg://bot:hunter2@127.0.0.1:1/x", "", "OperationalError(connection_refused)"),
        ("postgresql+psycopg://bot:hunter2@nowhere.invalid/x", "", "OperationalError(host_unknown)"),
    ],
)
def test_a_database_error_says_which_and_no_word_of_its_text(url: str, statement: str, described: str) -> None:
    error = raised(url, statement)
    assert "hunter2" in url + statement
    assert describe_error(error) == described
    with captured_log() as log:
        structlog.get_logger().error("failed", exc_info=error)
    assert log.lines("failed")[0]["error"] == described


def test_an_error_of_postgresql_says_its_sqlstate() -> None:
    with fresh_database() as url:
        plain = url.replace("postgresql://", "postgresql+psycopg://")
        assert describe_error(raised(plain, "SELECT 1/0")) == "DataError(22012)"
        missing = re.sub(r"/test_\w+", "/missing", plain)
        assert describe_error(raised(missing, "")) == "OperationalError(database_or_role_missing)"
