"""Who is hidden and why: the same for a row and in SQL, on both databases; and everyone by the rules of a scope."""

from collections.abc import AsyncIterator, Mapping
from itertools import product
from pathlib import Path

import pytest
from sqlmodel import col, select

from storage.database import Database
from storage.queries.people import groups, hidden, scope
from storage.queries.people.scope import Rules
from storage.tables.people import Person
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_store(tmp_path) as opened:
        await stored(opened, integration())
        yield opened


async def test_one_decision_for_a_row_and_in_sql(database: Database) -> None:
    every = product((False, True), ("", "only"), (False, True))
    people = [
        person(f"p{place}", excluded=excluded, outside=outside, opted_out=opted_out)
        for place, (excluded, outside, opted_out) in enumerate(every)
    ]
    await stored(database, *people)
    async with database.session() as session:
        found = await session.exec(select(Person, hidden.reason(), hidden.is_shown()))
        for row, reason, is_shown in found:
            assert (reason or "", bool(is_shown)) == (hidden.hidden_by(row), not hidden.hidden_by(row)), row


PEOPLE = (
    ("three", {"extension": "250"}),
    ("longer", {"extension": "2500"}),
    ("shorter", {"extension": "25"}),
    ("odd", {"extension": "2*9"}),
    ("none", {"extension": None}),
    ("last", {"extension": "299", "site_id": "porto"}),
    ("sales", {"address": "Ana_Silva@Sales.Example", "extension": "9"}),
    ("subsales", {"address": "ana@x.sales.example", "extension": "9"}),
    ("percent", {"address": "anaXsilva@sales.example%", "extension": "9"}),
    ("member", {"teams_user_id": "u1", "extension": "9"}),
    ("unmatched", {"teams_user_id": None, "extension": "9"}),
)


RULES: Mapping[tuple[str, str], set[str]] = {
    ("extensions", "200-299"): {"three", "last"},
    ("extensions", "250"): {"three"},
    ("extensions", "000-999"): {"three", "last"},
    ("site", "porto"): {"last"},
    ("address", "*@sales.example"): {"sales"},
    ("address", "ana_silva@*"): {"sales"},
    ("address", "*%"): {"percent"},
    ("address", "250"): set(),
    ("group", "g1"): {"member"},
}


async def test_whom_a_rule_selects(database: Database) -> None:
    await stored(database, *(person(key, **values) for key, values in PEOPLE))
    async with database.writing() as session:
        await groups.add(session, "i1", "g1", ["u1", "u2"])
        await groups.add(session, "i1", "g1", ["u2"])
        await groups.add(session, "i1", "g2", ["teams sales"])
    async with database.session() as session:
        for rule, names in RULES.items():
            only, but = (Rules("i1", mode, [rule]) for mode in ("only", "except"))
            inside = set((await session.exec(select(Person.id).where(only.outside() == ""))).all())
            named = set((await session.exec(select(Person.id).where(but.outside() == ":".join(rule)))).all())
            undecided = {"unmatched"} if rule[0] == "group" else set()
            assert (rule, inside, named) == (rule, names | undecided, names)
        together = select(Person.id).where(Rules("i1", "only", list(RULES)).outside() == "")
        assert set((await session.exec(together)).all()) == set().union(*RULES.values(), {"unmatched"})


async def test_figures_and_names_of_who_comes_and_goes(database: Database) -> None:
    await stored(
        database,
        person("in", extension="200", search="a"),
        person("out", extension="300", search="b"),
        person("back", extension="201", outside="only", search="c"),
        person("excluded", extension="202", excluded=True, outside="only"),
        person("opted", extension="203", opted_out=True, search="d"),
        person("unmatched", extension="300", teams_user_id=None),
        person("refused", extension="300", refusal="403 Forbidden"),
        person("no phone", extension=None, unmatched="no_extension"),
        person("gone", extension="300", gone=True),
    )
    rules = Rules("i1", "only", [("extensions", "200-299")])
    forbidding = Rules("i1", "only", [("extensions", "200-299")], may_opt_out=False)
    async with database.session() as session:
        assert await scope.figures(session, rules) == (1, 1, 2)
        assert await scope.figures(session, forbidding) == (2, 1, 3)
        assert [row[0] for row in await scope.changed(session, forbidding, "come", "", 9)] == ["back", "opted"]
        assert [row[0] for row in await scope.changed(session, forbidding, "come", "back", 9)] == ["opted"]
        assert [row[0] for row in await scope.changed(session, rules, "go", "", 9)] == ["out"]


async def test_everyone_is_judged_in_slices_and_who_is_concerned_is_due(database: Database) -> None:
    shown = {"applied": "Busy/InACall", "applied_user_id": "x", "status_message": "on the phone"}
    rows = [person(f"p{number}", extension=f"{number:03}") for number in range(7)]
    rows[0].line = "on_call"  # a message may be due, though no presence is
    await stored(database, *rows, person("shown", extension="300", **shown), person("opted", opted_out=True))
    rules = Rules("i1", "except", [("extensions", "000-500")], may_opt_out=False)
    after, sizes = None, []
    while True:
        async with database.writing() as session:
            found = await scope.next_of(session, "i1", rules.differs(), after, 3)
            if found:
                await scope.judge(session, rules, NOON, scope.between(found[0], found[-1]))
        sizes.append(len(found))
        if len(found) < 3:
            break
        after = found[-1]
    assert sizes == [3, 3, 3, 0]
    async with database.session() as session:
        people = {row.id: row for row in (await session.exec(select(Person))).all()}
        assert (await session.exec(select(Person.id).where(rules.differs()))).all() == []
        assert not (await session.exec(select(Person.id).where(col(Person.opted_out)))).all()
    assert {row.outside for key, row in people.items() if key != "opted"} == {"extensions:000-500"}
    assert {key for key, row in people.items() if row.due_at} == {"shown", "p0"}
    assert people["shown"].status_due_at == NOON


async def test_sites_have_their_numbers(database: Database) -> None:
    await stored(
        database,
        *(person(key, site_id=site) for key, site in (("a", "s1"), ("b", "s2"), ("c", "s2"), ("d", ""))),
    )
    async with database.session() as session:
        assert [tuple(row)[:2] for row in await scope.sites(session, "i1", 5)] == [("s2", 2), ("s1", 1)]
