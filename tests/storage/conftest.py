"""What is stored is stored alike on SQLite and on PostgreSQL."""

import pytest

from tests.stores import each_database as each_database


@pytest.fixture(autouse=True)
def _on_each_database(each_database: str) -> None:
    """Every test of this folder."""
