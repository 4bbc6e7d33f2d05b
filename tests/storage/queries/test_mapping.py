"""Another mapping of line states: whom it concerns, and what is stored of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

from storage.queries.people import groups, mapping, scope
from storage.queries.people.mapping import Mappings, Selection
from storage.queries.people.scope import selected_by_any
from storage.tables.people import Person
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, read_person, stored

CALL, BUSY = "Busy/InACall", "DoNotDisturb/Presenting"
TALKING: dict[str, Any] = {"line": "on_call", "desired": CALL, "desired_at": NOON}
LATER = NOON + timedelta(minutes=30)
CHOSEN = {"on_call": BUSY, "in_conference": None, "ringing": CALL}


async def test_who_is_in_a_changed_state_is_concerned_and_shown_differently(tmp_path: Path) -> None:
    one = integration()
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            one,
            integration(id="i2"),
            person("b", **TALKING),
            person("a", line="ringing"),
            person("c", line="in_conference", desired="Busy/InAConferenceCall", applied="Busy/InAConferenceCall"),
            person("same", line="do_not_disturb", desired=BUSY),
            person("idle", line="idle"),
            person("out", **TALKING, excluded=True),
            person("nobody", **TALKING, teams_user_id=None),
            person("foreign", **TALKING, integration_id="i2"),
        )
        async with database.session() as session:
            count, first = await mapping.concerned(session, one, Mappings(CHOSEN), 2)
        assert count == 3
        assert first == [("a", "ringing", None, CALL), ("b", "on_call", CALL, BUSY)]
        async with database.writing() as session:
            await mapping.apply(session, one, Mappings(CHOSEN), "cause", LATER)
        due = {}
        for name in ("a", "b", "c", "same", "idle", "out", "nobody", "foreign"):
            row = await read_person(database, name)
            due[name] = (row.desired, row.due_at)
        assert due == {
            "a": (CALL, LATER),
            "b": (BUSY, LATER),
            "c": (None, LATER),
            "same": (BUSY, None),
            "idle": (None, None),
            "out": (BUSY, LATER),
            "nobody": (BUSY, None),
            "foreign": (CALL, None),
        }


async def test_another_mapping_makes_no_state_newer(tmp_path: Path) -> None:
    one = integration()
    async with empty_store(tmp_path) as database:
        await stored(database, one, person("b", **TALKING))
        async with database.writing() as session:
            await mapping.apply(session, one, Mappings(CHOSEN), "cause", LATER)
        row = await read_person(database, "b")
        assert (row.desired, row.desired_at, row.heard_at) == (BUSY, LATER, NOON)


async def test_a_disabled_integration_changes_nobody_now(tmp_path: Path) -> None:
    one = integration(enabled=False)
    async with empty_store(tmp_path) as database:
        await stored(database, one, person(**TALKING))
        async with database.writing() as session:
            assert await mapping.concerned(session, one, Mappings(CHOSEN), 2) == (0, [])
            await mapping.apply(session, one, Mappings(CHOSEN), "cause", LATER)
        row = await read_person(database)
        assert (row.desired, row.due_at) == (BUSY, None)


async def test_chosen_by_name_comes_before_rules_and_these_in_their_order(tmp_path: Path) -> None:
    selected = {
        "m1": selected_by_any("i1", [("extensions", "200-209"), ("group", "g")]),
        "m2": selected_by_any("i1", [("address", "*@sales.example"), ("site", "s2")]),
    }
    some = Mappings(CHOSEN, {"m1": {**CHOSEN, "on_call": None}, "m2": CHOSEN}, selected)
    expected = {
        "range": ("m1", {"extension": "205"}),
        "both": ("m1", {"extension": "205", "address": "both@sales.example"}),
        "address": ("m2", {"address": "Ana@SALES.example"}),
        "site": ("m2", {"site_id": "s2"}),
        "member": ("m1", {"teams_user_id": "teams member"}),
        "chosen": ("m2", {"extension": "205", "chosen_mapping": "m2"}),
        "own": ("", {"extension": "205", "chosen_mapping": "own"}),
        "former": ("m1", {"extension": "205", "chosen_mapping": "removed"}),
        "else": ("", {"extension": "300"}),
    }
    rows = [person(name, **{**TALKING, "extension": None, **values}) for name, (_, values) in expected.items()]
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), *rows, person("gone", extension="205", gone=True))
        async with database.writing() as session:
            await groups.add(session, "i1", "g", ["teams member"])
            await mapping.apply(session, integration(), some, "cause", LATER)
            assert (await session.exec(select(Person.id).where(some.differs()))).all() == []
            found = await mapping.selecting(session, "i1", [("site", "x"), ("extensions", "200-209")], "both")
            assert found == ("extensions", "200-209")
            assert await mapping.selecting(session, "i1", [("site", "x")], "both") is None
            trial = Selection("i1", Mappings(CHOSEN, some.further, {"m2": selected["m2"]}), "m2")
            assert await scope.figures(session, trial) == (1, 0, 4)
            assert [row[0] for row in await scope.changed(session, trial, "come", "", 9)] == ["both"]
        stored_now = {name: (await read_person(database, name)).mapping for name in (*expected, "gone")}
    assert stored_now == {**{name: which for name, (which, _) in expected.items()}, "gone": ""}


async def test_the_mapping_chosen_for_a_person_takes_the_place_of_the_integrations_own(tmp_path: Path) -> None:
    one, some = integration(), Mappings(CHOSEN, {"m1": {**CHOSEN, "on_call": None}, "m2": CHOSEN})
    async with empty_store(tmp_path) as database:
        chosen = {"own": "", "first": "m1", "second": "m2", "gone": "m3"}
        rows = [person(name, **TALKING, chosen_mapping=chosen[name]) for name in chosen]
        await stored(database, one, *rows, person("idle", line="idle", chosen_mapping="m1"))
        async with database.writing() as session:
            assert (await mapping.concerned(session, one, some, 0))[0] == 4
            assert await mapping.counts(session, "i1", some) == {"m1": 2, "m2": 1}
            await mapping.apply(session, one, some, "cause", LATER)
            assert (await mapping.concerned(session, one, some, 0))[0] == 0
            assert await mapping.counts(session, "i1", some) == {"m1": 2, "m2": 1}
        shown = {name: (await read_person(database, name)).desired for name in chosen}
        assert shown == {"own": BUSY, "first": None, "second": BUSY, "gone": BUSY}
        async with database.writing() as session:
            await mapping.apply(session, one, Mappings(CHOSEN), "cause", LATER)
        assert (await read_person(database, "first")).desired == BUSY
