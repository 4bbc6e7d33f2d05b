from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from storage.flow import queries
from storage.queries import integrations
from storage.queries.people import directory, directory_people, imports, people
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.imports import PeopleImport, PeopleImportLine
from storage.tables.people import Call, Endpoint
from tests.support.clocks import NOON
from tests.support.storage.people_rows import calls_by_person, people_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored

CALL = "Busy/InACall"
SOON = NOON - timedelta(seconds=1)


async def test_of_many_who_are_due_changes_come_before_renewals_and_the_longest_waiting_first(
    tmp_path: Path,
) -> None:
    renewal = {"desired": CALL, "applied": CALL, "applied_until": NOON + timedelta(minutes=20)}
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(),
            integration(id="i2"),
            person("renewal", **renewal, due_at=NOON - timedelta(minutes=9)),
            person("new", desired=CALL, due_at=SOON),
            person(
                "older", applied=CALL, applied_until=NOON + timedelta(hours=1), due_at=SOON - timedelta(minutes=1)
            ),
            person("ran out", **{**renewal, "applied_until": SOON}, due_at=NOON),
            person("later", desired=CALL, due_at=NOON + timedelta(seconds=1)),
            person("foreign", integration_id="i2", desired=CALL, due_at=SOON),
        )
        for limit, but, expected in (
            (10, [], {"older", "new", "ran out", "renewal"}),
            (3, [], {"older", "new", "ran out"}),
            (2, [], {"older", "new"}),
            (2, ["older"], {"new", "ran out"}),
        ):
            due = await database.transact(lambda one: queries.lock_due(one, "i1", but, NOON, limit))  # noqa: B023
            assert {row.id for row in due} == expected
        async with database.session() as session:
            oldest = await people.next_due_by_integration(session, NOON)
            assert oldest == {"i1": NOON - timedelta(minutes=9), "i2": SOON}


async def test_what_must_end_is_due_with_what_differs(tmp_path: Path) -> None:
    """As once credentials work again: who was excluded or disabled meanwhile waits no longer than the others."""
    shown = {"desired": CALL, "applied": CALL, "due_at": NOON + timedelta(minutes=15)}
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2", enabled=False))
        await stored(database, person("calm", **shown), person("excluded", **shown, excluded=True))
        await stored(database, person("disabled", **shown, integration_id="i2"))
        for key in ("i1", "i2"):
            async with database.writing() as session:
                assert await people.make_pending_due(session, key, NOON) == 1
        assert [(await read_person(database, name)).due_at for name in ("excluded", "disabled")] == [NOON, NOON]


async def test_whom_another_integration_of_the_application_changed_meanwhile_is_due(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        for key, app in (("i1", "app"), ("i2", "app"), ("i3", "another")):
            await stored(database, integration(id=key, name=key, client_id=app))
        shown = {"desired": CALL, "applied": CALL, "applied_at": NOON}
        await stored(database, person("a", **shown, teams_user_id="t"), person("b", **shown, teams_user_id="u"))
        later = {"desired": "Busy/Busy", "applied": "Busy/Busy", "applied_at": NOON + timedelta(seconds=1)}
        await stored(database, person("a2", **later, integration_id="i2", teams_user_id="t"))
        await stored(database, person("b3", **later, integration_id="i3", teams_user_id="u"))
        async with database.writing() as session:
            assert await people.make_pending_due(session, "i1", NOON) == 1
            assert await people.make_pending_due(session, "i2", NOON) == 0
        assert (await read_person(database, "a")).due_at == NOON


async def test_clear_desired_clears_what_is_shown_and_forgets_the_phones_state(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        call = Call(person_id="shown", extension="ext shown", call_id="c", state="connected", at=1, heard_at=NOON)
        await stored(
            database,
            integration(),
            person("shown", desired=CALL, applied=CALL, line="on_call"),
            person("not yet", desired=CALL, due_at=NOON),
        )
        await stored(database, call)
        async with database.writing() as session:
            assert await people.clear_desired(session, "i1", "a cause", NOON) == 1
        shown, not_yet = await read_person(database, "shown"), await read_person(database, "not yet")
        assert (shown.desired, shown.applied, shown.due_at, shown.line) == (None, CALL, NOON, "unknown")
        assert (not_yet.desired, not_yet.due_at) == (None, None)
        async with database.session() as session:
            assert [each.state for each in (await calls_by_person(session, ["shown"]))["shown"]] == ["ended"]


async def test_counts(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(),
            person("calling", desired=CALL, line="on_call", due_at=NOON),
            person("shown", desired=CALL, applied=CALL, line="on_call", due_at=NOON),
            person("stranger", teams_user_id=None, unmatched="not_found", desired=CALL, line="on_call"),
            person("refused", desired=CALL, refusal="404 gone", line="on_call"),
            person("out", excluded=True, desired=CALL, line="on_call"),
            person("gone", gone=True, teams_user_id=None),
        )
        async with database.session() as session:
            counts = await people.counts(session, "i1", ["on_call"])
            assert counts == people.Counts(
                people=5,
                matched=2,
                in_a_call=5,
                waiting=1,
                shown=1,
                missing=1,
                left_out={"not_found": 1, "refused": 1, "excluded": 1},
            )
            assert await people.count_shown(session, "i1") == 1
            on_the_phone = PeopleQuery(filter="on_the_phone", talking=["on_call"])
            assert await directory_people.count(session, ["i1"], on_the_phone) == counts.in_a_call


async def test_people_on_the_phone_are_polled_first_and_unmatched_ones_not_at_all(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(),
            person("a", line="idle"),
            person("b", line="idle", extension="ext b"),
            person("z", desired=CALL, line="on_call"),
            person("unmatched", teams_user_id=None, line="idle"),
            person("no phone", extension=None, line="idle"),
        )
        for who, extension in (("z", "softphone"), ("z", "ext a"), ("unmatched", "desk"), ("b", "ext b")):
            await stored(database, Endpoint(person_id=who, extension=extension, integration_id="i1"))
        async with database.session() as session:
            assert await people.extensions_to_poll(session, "i1") == ["ext a", "ext z", "softphone", "ext b"]
            assert await people.extensions_to_poll_always(session, "i1") == {"ext a", "ext z", "softphone"}


async def test_more_people_than_a_statement_takes_are_found(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        async with database.writing() as session:
            session.add_all(person(f"{number:04}") for number in range(1200))
            session.add(integration(id="i2"))
            session.add(person("elsewhere", integration_id="i2", extension="ext 0001"))
        wanted = [("i1", f"ext {number:04}") for number in range(1200)]
        named = [("i2", "cloudlink elsewhere"), ("i2", "nobody")]
        found = await database.transact(lambda one: queries.lock_concerned(one, wanted, named, []))
        assert await database.transact(lambda one: queries.lock_concerned(one, [], [], [])) == []
        assert sorted(row.id for row in found) == [*(f"{number:04}" for number in range(1200)), "elsewhere"]


async def test_an_integration_is_deleted_with_all_that_refers_to_it_and_only_that(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"), person(), person("p2", integration_id="i2"))
        await stored(
            database, Call(person_id="p1", extension="ext p1", call_id="c", state="connected", at=1, heard_at=NOON)
        )
        async with database.writing() as session:
            await integrations.delete_one(session, "i1")
        async with database.session() as session:
            assert [row.id for row in await integrations.list_all(session)] == ["i2"]
            assert await people_of(session, "i1") == []
            assert len(await people_of(session, "i2")) == 1


async def test_a_tenant_sees_its_own_integrations_until_they_are_being_removed(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(id="b", created_at=NOON + timedelta(seconds=1)),
            integration(id="a"),
            integration(id="foreign", owner_tenant="t2"),
            integration(id="going", removing_since=NOON),
        )
        async with database.session() as session:
            assert [row.id for row in await integrations.list_owned(session, "t1")] == ["a", "b"]
            assert await integrations.get_owned(session, "t1", "foreign") is None
            assert await integrations.get_owned(session, "t1", "going") is None


async def test_clear_extensions_forgets_the_phones_and_clears_what_is_shown(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        shown = person("p1", desired=CALL, applied=CALL, line="on_call")
        await stored(
            database,
            integration(),
            shown,
            Call(person_id="p1", extension="ext p1", call_id="c", state="x", at=1, heard_at=NOON),
        )
        async with database.writing() as session:
            await people.clear_extensions(session, "i1", "a cause", NOON)
            assert await calls_by_person(session, ["p1"]) == {"p1": []}
        row = await read_person(database)
        assert (row.extension, row.desired, row.applied, row.due_at) == (None, None, CALL, NOON)


async def test_unmatch_all_ends_the_matches_and_keeps_the_phones_state(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        calling = {"desired": CALL, "applied": CALL, "line": "on_call", "due_at": NOON}
        await stored(
            database,
            integration(),
            integration(id="i2"),
            person("cleared", **calling, applied_user_id="old cleared"),
            person("foreign", **calling, integration_id="i2", applied_user_id="old foreign"),
        )
        async with database.writing() as session:
            assert await people.mark_applied_unsure(session, "i1", NOON + timedelta(seconds=60)) == ["old cleared"]
        await stored(database, person("set since", **calling, applied_user_id="old set since"))
        async with database.writing() as session:
            assert await people.unmatch_all(session, "i1") == ["old set since"]
        for name in ("cleared", "set since"):
            row = await read_person(database, name)
            assert (row.desired, row.line, row.extension) == (CALL, "on_call", f"ext {name}")
            assert (row.teams_user_id, row.applied, row.applied_user_id, row.due_at) == (None, None, None, None)
        assert (await read_person(database, "foreign")).applied == CALL


async def test_who_is_present_is_read_in_slices_between_which_others_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "SLICE", 2)
    people_here = [person(f"p{number}") for number in range(5)]
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"), *people_here)
        await stored(database, person("gone", gone=True), person("foreign", integration_id="i2"))
        sizes = [[row.name for row in rows] async for rows in directory.present(database, "i1")]
    assert [len(names) for names in sizes] == [2, 2, 1]
    assert sorted(name for names in sizes for name in names) == sorted(each.name for each in people_here)


KEYS = (
    "person USING INDEX sqlite_autoindex_person_1 (id=?)",
    "person USING INDEX ix_person_teams_user_id",
    *("person USING INDEX ix_person_chosen (chosen_user_id=?)",) * 2,
    "person USING INDEX ix_person_teams_user_id (teams_user_id=?)",
    "person USING INDEX ix_person_chosen (chosen_user_id=?)",
)


async def test_people_are_found_by_their_ids_and_accounts_not_by_their_integration(tmp_path: Path) -> None:
    """SQLite has no statistics: an index of the integration, by which everyone would be read, looks as good."""
    ids = {f"p{number}" for number in range(40)}
    by_hand = {"former": None, "both": "teams both"}
    an_import = PeopleImport(owner_tenant="t1", user_object_id="rui", integration_id="i1", state="", at=NOON)
    matches = {"p0": "teams former", "p1": "teams p1", "p2": "teams both", "p3": "teams nobody"}
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append("\n".join(row[-1] for row in rows))

    async with empty_store(tmp_path) as database:
        await stored(database, integration(), an_import, *(person(name) for name in ids))
        for name, user_id in by_hand.items():
            await stored(database, person(name, teams_user_id=user_id, chosen_user_id=f"teams {name}"))
        async with database.writing() as session:
            given: dict[str, Any] = {"import_id": an_import.id, "match": "match"}
            named = (
                PeopleImportLine(**given, number=number, person_id=name, user_id=user)
                for number, (name, user) in enumerate(matches.items())
            )
            await imports.add_lines(session, [line.model_dump() for line in named])
        async with database.session() as session:
            if database.is_sqlite:
                event.listen((await session.connection()).sync_connection, "before_cursor_execute", explain)
            assert len(await imports.people_named(session, "i1", {"person_id": ids})) == 40
            assert len(await people.by_teams_user(session, ["i1"], [f"teams {name}" for name in ids])) == 40
            owners = await imports.owners_of(session, "i1", matches.values())
            other = await directory_people.owner_of_account(session, "i1", "teams former", "p0")
            taken = await imports.taken_accounts(session, an_import, 9)
    assert {user: "".join(found) for user, found in owners.items()} == {
        "teams former": "former",
        "teams p1": "p1",
        "teams both": "both",
        "teams nobody": "",
    }
    assert other is not None
    assert other.id == "former"
    assert [(line.number, owner.id) for line, owner in taken] == [(0, "former"), (2, "both")]
    assert not database.is_sqlite or [key for key, plan in zip(KEYS, plans, strict=True) if key not in plan] == []
