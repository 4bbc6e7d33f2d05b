"""What a change costs, on both databases: printed (``pytest -s``), since time is not asserted."""

from pathlib import Path

from tests.bench.change import Plan, measure
from tests.support.storage.postgres import fresh_database, with_tables
from tests.support.storage.stores import sqlite_with_tables

FEW = Plan(turns=3)


async def test_a_change_on_sqlite(tmp_path: Path) -> None:
    print("\nSQLite:", await measure(sqlite_with_tables(tmp_path), tmp_path, FEW))


async def test_a_change_on_postgresql(tmp_path: Path) -> None:
    with fresh_database(with_tables()) as url:
        print("\nPostgreSQL:", await measure(url, tmp_path, FEW))
