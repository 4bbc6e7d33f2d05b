"""The statements between webhook and Graph find their rows by an index, however many there are."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from storage.database import Database
from storage.flow import queries
from storage.flow.rows import CALLS, ENDPOINTS, INTEGRATIONS, PEOPLE
from storage.transaction import Table, Transaction, listed, paired
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored

ONE, PAIR = listed(["i1"]), paired([("i1", "x")])
TABLES = "person|integration|endpoint|call|problem|unknownstate|seenevent"


def selecting(table: Table[Any], condition: str) -> str:
    return f"SELECT {table.columns} FROM {table.name} {condition}"  # noqa: S608


STATEMENTS: dict[str, tuple[str, list[Any]]] = {
    "sharing": (queries.SHARING, [ONE]),
    "integrations": (selecting(INTEGRATIONS, queries.LOCKED), [ONE]),
    "problems": (queries.OPEN_PROBLEMS, [ONE]),
    "people": (selecting(PEOPLE, queries.CONCERNED), [PAIR, PAIR, PAIR, ONE]),
    "endpoints": (selecting(ENDPOINTS, queries.OF_PEOPLE), [ONE]),
    "calls": (selecting(CALLS, queries.THEIR_CALLS), [ONE, "ended", ONE]),
    "due": (selecting(PEOPLE, queries.DUE), ["i1", NOON, ONE, NOON, 20]),
    "wishes": (selecting(PEOPLE, queries.OF_TEAMS_USERS), [PAIR]),
    "unknown states": (queries.NAMES, ["i1"]),
    "forget": ("DELETE FROM call WHERE person_id = ? AND extension = ?", ["p", "e"]),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_a_whole_table(tmp_path: Path, name: str) -> None:
    statement, values = STATEMENTS[name]
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person())
        plan = await plan_of(database, statement, values)
    assert not re.search(rf"(SCAN|Seq Scan on) ({TABLES})\b", plan), plan
    assert name != "due" or "ix_person_due" in plan, plan


async def plan_of(database: Database, statement: str, values: list[Any]) -> str:
    """How the database would find the rows, if it had many."""

    def explain(transaction: Transaction) -> str:
        if not database.is_sqlite:
            transaction.write("SET LOCAL enable_seqscan = off", [[]])
        kind = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        return "\n".join(str(row[-1]) for row in transaction.rows(kind + statement, *values))

    return await database.transact(explain)


async def test_times_numbers_and_lists_come_back_as_they_were_stored(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(quota_spent=[[1, 2]], unreported={"p": 1.5}, last_change_at=NOON))
        (row,) = await database.transact(lambda one: queries.lock_integrations(one, ["i1"]))
        assert (row.enabled, row.last_change_at) == (True, NOON)
        assert (row.quota_spent, row.unreported) == ([[1, 2]], {"p": 1.5})


async def test_an_error_keeps_its_kind_and_undoes_the_whole_transaction(tmp_path: Path) -> None:
    def store_twice(transaction: Transaction) -> None:
        statement = "INSERT INTO seenevent (integration_id, event_id, seen_at) VALUES (?, ?, ?)"
        transaction.write(statement, [("i1", "e", NOON)])
        transaction.write(statement, [("i1", "e", NOON)])

    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        with pytest.raises(IntegrityError):
            await database.transact(store_twice)
        with pytest.raises(OperationalError if database.is_sqlite else ProgrammingError):
            await database.transact(lambda one: one.rows("SELECT 1 FROM nowhere"))
        assert await database.transact(lambda one: one.rows("SELECT event_id FROM seenevent")) == []
