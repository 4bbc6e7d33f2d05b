"""People in pages, by filter and by words."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.text import searchable
from storage.database import Database
from storage.queries.people import directory_people, sent_changes
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.effects import ReadBack
from storage.tables.people import Endpoint, Person, SentChanges
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored

NAMES = [f"p{number:02}" for number in range(25)]


def named(key: str, name: str, **values: Any) -> Person:
    """A person of this name."""
    row = person(key, **values).sqlmodel_update({"name": name})
    return row.sqlmodel_update({"search": searchable(name, row.address, row.extension)})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_store(tmp_path) as opened:
        await stored(opened, integration(), integration(id="i2", owner_tenant="t2", tenant_id="entra 2"))
        yield opened


async def page(database: Database, limit: int = 10, **query: Any) -> tuple[list[str], bool, bool]:
    async with database.session() as session:
        rows, before, after = await directory_people.page(session, ["i1"], PeopleQuery(**query), limit)
    return [row.id for row, _ in rows], before, after


async def test_pages_follow_each_other_by_key_in_both_directions(database: Database) -> None:
    await stored(database, *(person(name) for name in NAMES), person("other", integration_id="i2"))
    assert await page(database) == (NAMES[:10], False, True)
    assert await page(database, after="p09") == (NAMES[10:20], True, True)
    assert await page(database, after="p19") == (NAMES[20:], True, False)
    assert await page(database, before="p20") == (NAMES[10:20], True, True)
    assert await page(database, before="p10") == (NAMES[:10], False, True)


async def test_people_of_the_same_name_are_each_on_one_page(database: Database) -> None:
    twins = [named(f"id{number}", "Ana", address="", extension="1") for number in range(4)]
    await stored(database, *twins)
    first, _, _ = await page(database, 2)
    second, _, _ = await page(database, 2, after=first[-1])
    assert [*first, *second] == ["id0", "id1", "id2", "id3"]


async def test_slices_go_on_after_a_person_who_is_removed_meanwhile(database: Database) -> None:
    twins = [named(f"id{number}", "Ana", address="", extension="1") for number in range(5)]
    await stored(database, *twins, person("gone", gone=True), person("other", integration_id="i2"))
    await stored(database, ReadBack(person_id="id0", activity="InACall", at=NOON))
    async with database.session() as session:
        first = await directory_people.slice_after(session, "i1", None, 2)
    assert [(row.id, user, read and read.activity) for row, user, read in first] == [
        ("id0", None, "InACall"),
        ("id1", None, None),
    ]
    async with database.writing() as session:
        await session.delete(await session.get_one(Person, "id1"))
    async with database.session() as session:
        rest = await directory_people.slice_after(session, "i1", (first[-1][0].search, "id1"), 10)
    assert [row.id for row, _, _ in rest] == ["id2", "id3", "id4"]


async def test_after_a_person_who_is_gone_or_foreign_the_first_page_is_shown(database: Database) -> None:
    await stored(database, person("a"), person("b"), person("other", integration_id="i2"))
    for mark in ("nobody", "other", "' OR 1=1 --"):
        assert await page(database, after=mark) == (["a", "b"], False, False)


FILTERED = [
    person("idle"),
    person("talking", line="on_call", desired="Busy/InACall", applied="Busy/InACall"),
    person("missing", line="in_conference", desired="Busy/InAConferenceCall"),
    person("guest", teams_user_id=None, unmatched="guest"),
    person("never compared", teams_user_id=None),
    person("refused", refusal="403 Forbidden"),
    person("out", excluded=True, changed_by="rui"),
    person("gone", gone=True, line="on_call", excluded=True, changed_by="rui"),
    person("outer", outside="only", desired="Busy/InACall"),
    person("own", opted_out=True, desired="Busy/InACall"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("everyone", ["guest", "idle", "missing", "never compared", "out", "outer", "own", "refused", "talking"]),
        ("on_the_phone", ["missing", "talking"]),
        ("left_out", ["guest", "never compared", "out", "outer", "own", "refused"]),
        ("not_shown", ["missing"]),
        ("excluded", ["out"]),
        ("outside", ["outer"]),
        ("opted_out", ["own"]),
        ("my_changes", ["out"]),
    ],
)
async def test_a_filter_lists_those_it_names(database: Database, wanted: str, found: list[str]) -> None:
    await stored(database, *(Person(**row.model_dump()) for row in FILTERED))
    query: dict[str, Any] = {"filter": wanted, "by": "rui", "talking": ("on_call", "in_conference")}
    assert (await page(database, **query))[0] == found


async def test_nobody_changed_anything_for_who_has_no_id(database: Database) -> None:
    await stored(database, person("a"))
    assert await page(database, filter="my_changes") == ([], False, False)


async def test_words_are_found_in_name_address_and_extension_and_mean_themselves(database: Database) -> None:
    await stored(
        database,
        named("sofia", "Sofia Conceição", address="S.Conceicao@example.com", extension="2001"),
        named("rui", "Rui 100% Costa", address="rui@example.com", extension="2002"),
    )
    for words in (("sofia",), ("conceicao",), ("sof", "2001"), ("s.conc",)):
        assert (await page(database, words=words))[0] == ["sofia"], words
    assert (await page(database, words=("0%",)))[0] == ["rui"]
    for words in (("%",), ("_",)):
        assert (await page(database, words=words))[0] == (["rui"] if words == ("%",) else []), words


async def test_an_extension_is_its_owners_and_of_who_was_seen_there(database: Database) -> None:
    await stored(database, person("owner", extension="20"), person("guest", extension="21"), person("no"))
    await stored(database, Endpoint(person_id="guest", extension="20", integration_id="i1"))
    async with database.session() as session:
        found = await directory_people.with_extension(session, ["i1"], "20")
        assert [row.id for row, _ in found] == ["guest", "owner"]
        assert await directory_people.with_extension(session, ["i2"], "20") == []


async def test_the_candidates_for_a_misspelt_name_share_a_piece_of_it(database: Database) -> None:
    await stored(database, named("sofia", "Sofia"), named("sonia", "Sónia"), named("rui", "Rui"))
    async with database.session() as session:
        found = await directory_people.candidates(session, ["i1"], ["sofja"])
        assert [row.id for row, _ in found] == ["sofia"]
        found = await directory_people.candidates(session, ["i1"], ["riu"])
        assert [row.id for row, _ in found] == ["rui"]
        assert await directory_people.candidates(session, ["i1"], [""]) == []


async def test_a_user_of_a_tenant_is_found_in_its_own_integrations_only(database: Database) -> None:
    await stored(
        database,
        integration(id="mine", owner_tenant="entra", tenant_id="entra"),
        integration(id="lent", owner_tenant="other", tenant_id="entra"),
        person("me", integration_id="mine", teams_user_id="u1"),
        person("lent", integration_id="lent", teams_user_id="u1"),
        person("colleague", integration_id="mine", teams_user_id="u2"),
    )
    async with database.session() as session:
        found = await directory_people.of_teams_user(session, "entra", "u1")
        assert [row.id for row in found] == ["me"]
        assert await directory_people.of_teams_user(session, "t1", "u1") == []


async def test_the_newest_changes_are_of_the_integrations_own_people(database: Database) -> None:
    await stored(database, *(person(name) for name in NAMES[:3]), person("other", integration_id="i2"))
    for minute, name in enumerate((*NAMES[:3], "other")):
        at = NOON + timedelta(minutes=minute)
        await stored(database, SentChanges(person_id=name, newest_at=at, newest={"cause": name}))
    async with database.session() as session:
        found = await sent_changes.newest(session, "i1", 2)
    assert [row.person_id for row in found] == ["p02", "p01"]
