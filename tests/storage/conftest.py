"""Every test of the storage runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage.stores import both_databases as each_database
from tests.support.storage.stores import empty_database

__all__ = ["each_database"]


@pytest.fixture(autouse=True)
def _on_each_database(each_database: str) -> None:
    """Every test of this folder."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    with empty_database(tmp_path) as url:
        yield url
