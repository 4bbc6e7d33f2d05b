"""The statements between webhook and Graph find their rows by an index, however many there are."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from storage.database import Database
from storage.flow import queries
from storage.flow.rows import CALLS, ENDPOINTS, INTEGRATIONS, PEOPLE
from storage.queries.people import sent_changes
from storage.tables.people import Endpoint
from storage.tables.problems import Problem
from storage.transaction import Table, Transaction, listed, paired
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored

MINUTE = timedelta(minutes=1)
DUE = ("i1", NOON, NOON, listed(["i1"]), NOON, 20)
ONE, PAIR = listed(["i1"]), paired([("i1", "x")])
TABLES = "person|integration|endpoint|call|problem|unknownstate|seenevent"


def selecting(table: Table[Any], condition: str) -> str:
    return f"SELECT {table.columns} FROM {table.name} {condition}"  # noqa: S608


STATEMENTS: dict[str, tuple[str, list[Any]]] = {
    "sharing": (queries.SHARING, [ONE, ONE]),
    "integrations": (selecting(INTEGRATIONS, queries.LOCKED), [ONE]),
    "problems": (queries.OPEN_PROBLEMS, [ONE]),
    "people": (selecting(PEOPLE, queries.CONCERNED), [PAIR, 9, PAIR, 9, PAIR, ONE]),
    "endpoints": (selecting(ENDPOINTS, queries.OF_PEOPLE), [ONE]),
    "calls": (selecting(CALLS, queries.THEIR_CALLS), [ONE, "ended", ONE]),
    "due": (selecting(PEOPLE, queries.DUE), [*DUE, *DUE, 20]),
    "wishes": (selecting(PEOPLE, queries.OF_TEAMS_USERS), [PAIR]),
    "unknown states": (queries.NAMES, ["i1"]),
    "forget": ("DELETE FROM call WHERE person_id = ? AND extension = ?", ["p", "e"]),
}


async def test_no_statement_reads_a_whole_table(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), *(person(f"p{number}") for number in range(50)))
        plans = {name: await plan_of(database, *asked) for name, asked in STATEMENTS.items()}
    whole = re.compile(rf"(SCAN|Seq Scan on) ({TABLES})\b")
    assert {name: plan for name, plan in plans.items() if whole.search(plan)} == {}
    assert "ix_person_due" in plans["due"]


async def plan_of(database: Database, statement: str, values: list[Any]) -> str:
    """How the database finds the rows, however few there are."""

    def explain(transaction: Transaction) -> str:
        if not database.is_sqlite:
            transaction.write("ANALYZE person", [[]])
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


async def test_of_many_people_at_one_extension_few_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who owns it the matched first, of those seen there the last; and the one named by user id."""
    monkeypatch.setattr(queries, "NEAR_ONE", 2)
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        owners = [person(f"owner {number}", extension="2000", teams_user_id=None) for number in range(5)]
        owners[4].teams_user_id = "teams"
        guests = [person(f"guest {number}") for number in range(5)]
        seen = [
            Endpoint(person_id=each.id, integration_id="i1", extension="2000", heard_at=NOON + n * MINUTE)
            for n, each in enumerate(guests)
        ]
        await stored(database, *owners, *guests)
        await stored(database, *seen)
        here, named = [("i1", "2000")], [("i1", owners[2].cloudlink_user_id or "")]
        found = await database.transact(lambda transaction: queries.lock_concerned(transaction, here, named, ()))
    assert [row.id for row in found] == ["guest 3", "guest 4", "owner 0", "owner 2", "owner 4"]


@pytest.mark.parametrize(
    ("owner", "lasting", "shares"), [("t1", True, True), ("another", False, True), ("another", True, False)]
)
async def test_an_application_is_not_shared_with_another_owner_whose_credentials_are_refused(
    tmp_path: Path, owner: str, lasting: bool, shares: bool
) -> None:
    """Else one of them, locked for its own events, would leave the other out of a tick."""
    async with empty_store(tmp_path) as database:
        first, second = integration(owner_tenant="t1"), integration(id="i2", owner_tenant=owner)
        assert (first.tenant_id, first.client_id) == (second.tenant_id, second.client_id)
        refused = Problem(integration_id="i2", service="entra", fault="wrong", since=NOON, checked_at=NOON)
        refused.lasting = lasting
        await stored(database, first, second)
        await stored(database, refused)
        ids = ("i1", "i2")
        found = await database.transact(lambda transaction: queries.sharing(transaction, ids, ("entra", "graph")))
    assert found == ({"i1": {*ids}, "i2": {*ids}} if shares else {"i1": {"i1"}, "i2": {"i2"}})


async def test_five_changes_are_kept_and_a_repeated_failure_takes_the_place_of_the_last(tmp_path: Path) -> None:
    def store(transaction: Transaction) -> None:
        for number in range(7):
            queries.add_sent(transaction, {"p1": {"result": "done", "at": str(number)}}, NOON)
        for number, result in ((7, "failed"), (8, "failed"), (9, "refused")):
            queries.forget_newest_sent(transaction, {"p1": f'{{"result":"{result}"'})
            queries.add_sent(transaction, {"p1": {"result": result, "at": str(number)}}, NOON)

    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person("p1"))
        await database.transact(store)
        async with database.session() as session:
            found = await sent_changes.entries(session, ["p1"])
    assert [each["at"] for each in found["p1"]] == ["9", "8", "6", "5", "4"]
