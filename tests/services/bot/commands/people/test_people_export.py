"""Everyone of an integration as a file: who may read it, in which language, and what it says of each."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.chat.exports.links import PEOPLE, ExportRequest
from bot.languages import Language
from core.text import searchable
from storage.encryption import Encryption
from storage.tables.directory import DirectoryUser
from storage.tables.effects import ReadBack
from storage.tables.people import Person
from storage.tables.roles import Member
from sync.domain.presence import Presence
from sync.domain.roles import Role
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.downloads import fetch, rows, serving_files
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, buttons, link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, stored

CALL = Presence.IN_A_CALL


def named(key: str, name: str, **values: Any) -> Person:
    row = person(key, **values).sqlmodel_update({"name": name})
    return row.sqlmodel_update({"search": searchable(name, row.address, row.extension)})


@pytest.fixture
async def served(chat: Chat) -> AsyncIterator[Chat]:
    """A chat whose tenant has an integration, beside another tenant's, and whose links lead to files."""
    context = context_of(chat.database, FakeServiceClients(), clock=chat.clock)
    chat.operations = real_operations(context, Encryption([KEY]))
    theirs = integration(id="i2", owner_tenant="theirs", tenant_id="theirs")
    await stored(chat.database, integration(owner_tenant=TENANT, tenant_id=TENANT), theirs)
    await stored(chat.database, named("their", "Their Person", integration_id="i2"))
    async with serving_files(chat):
        yield chat


async def link(chat: Chat, said: str = "export people") -> str:
    (url,) = link_urls(await chat.say(said))
    return url


async def exported(chat: Chat) -> list[dict[str, str]]:
    status, _, text = await fetch(await link(chat))
    assert status == 200
    return rows(text)


async def test_the_file_says_what_is_known_of_each(served: Chat) -> None:
    now = served.now
    user = DirectoryUser(integration_id="i1", user_id="teams ana", principal_name="ana@contoso.example", round=1)
    ana = named(
        *("ana", "Ana Lima"),
        line="on_call",
        desired=CALL,
        desired_at=now,
        applied=CALL,
        extension="2001",
    )
    out = named(
        *("gil", "Gil Costa"),
        excluded=True,
        changed_by_name="Rui",
        teams_user_id=None,
        unmatched="guest",
    )
    read = ReadBack(person_id="ana", availability="Busy", activity="InACall", at=now + timedelta(seconds=3))
    await stored(served.database, ana, out, named("eva", "Eva Reis", gone=True), user)
    await stored(served.database, read)
    await stored(served.database, named("zoe", "Zoe", excluded=True, line="on_call", desired=CALL))
    first, second, hidden = await exported(served)
    assert hidden["To be shown in Teams"] == EN("people.own_status")
    assert first == {
        "Name": "Ana Lima",
        "Extension": "2001",
        "Address": "ana@example.com",
        "Teams user": "ana@contoso.example",
        "Teams user ID": "teams ana",
        "Phone": EN("line.on_call"),
        "To be shown in Teams": EN("shown.inacall"),
        "Accepted by Teams": EN("shown.inacall"),
        "Shown by Teams": EN("shown.inacall"),
        "Shown since (UTC)": "2026-11-22T12:00:03+00:00",
        **dict.fromkeys(("Left out because", "Excluded", "Matched by hand"), ""),
        **dict.fromkeys(("Last changed by", "Last changed (UTC)"), ""),
        "Person ID": "ana",
    }
    said = [second[name] for name in ("Name", "Left out because", "Excluded", "Last changed by", "Shown by Teams")]
    assert said == ["Gil Costa", EN("unmatched.guest"), "yes", "Rui", ""]


@pytest.mark.parametrize("changed", [{"applied": None}, {"desired": None}, {"desired_at": timedelta(minutes=1)}])
async def test_what_was_read_of_an_earlier_wish_is_not_in_it(served: Chat, changed: dict[str, Any]) -> None:
    values = {"desired": CALL, "desired_at": timedelta(), "applied": CALL, **changed}
    values["desired_at"] += served.now
    await stored(served.database, named("ana", "Ana", **values))
    await stored(served.database, ReadBack(person_id="ana", activity="InACall", at=served.now))
    (row,) = await exported(served)
    assert (row["Shown by Teams"], row["Shown since (UTC)"]) == ("", "")


async def test_everyone_is_in_it_once_though_names_are_equal(served: Chat) -> None:
    await stored(served.database, *(named(f"p{number:04}", f"Person {number % 3}") for number in range(203)))
    found = [row["Person ID"] for row in await exported(served)]
    assert (len(found), len(set(found))) == (203, 203)


async def test_it_is_in_portuguese_and_no_cell_is_a_formula(served: Chat) -> None:
    await stored(served.database, named("ana", "=HYPERLINK(1)", extension="@2001"))
    served.locale = "pt-PT"
    (row,) = rows((await fetch(await link(served, "exportar pessoas")))[2], ";")
    assert (row[PT("export.people.name")], row[PT("export.people.extension")]) == ("'=HYPERLINK(1)", "'@2001")


async def test_the_list_leads_to_the_file(served: Chat) -> None:
    card = await served.press(await served.say("people"), "export_people.link")
    (url,) = link_urls(card)
    assert (await fetch(url))[0] == 200


async def test_of_several_integrations_one_is_chosen(served: Chat) -> None:
    second = integration(id="i3", owner_tenant=TENANT, tenant_id=TENANT, client_id="another")
    await stored(served.database, second, named("ana", "Ana", integration_id="i3"))
    card = await served.press(await served.say("export people"), "export_people.link", {"integration": "i3"})
    (url,) = link_urls(card)
    assert [row["Name"] for row in rows((await fetch(url))[2])] == ["Ana"]


async def test_another_tenants_people_are_in_no_file(served: Chat) -> None:
    assert await exported(served) == []
    card = await served.act("export_people.link", integration="i2")
    assert link_urls(card) == []
    assert served.export_links
    for chosen in ("i2", "", "no such"):
        request = ExportRequest(TENANT, ADMIN, Language.ENGLISH, chosen, PEOPLE)
        status, _, text = await fetch(served.export_links.create(request, ""))
        assert (status, "Their Person" in text) == (404, False)


async def test_who_has_no_role_any_more_gets_nothing(served: Chat) -> None:
    viewer = Member(id="m", owner_tenant=TENANT, user_object_id=STRANGER, role=Role.VIEWER, invited_at=served.now)
    await stored(served.database, viewer)
    served.person = STRANGER
    url = await link(served)
    assert (await fetch(url))[0] == 200
    served.person = ADMIN
    await served.act("admins.remove", member="m", was="viewer")
    assert (await fetch(url))[0] == 404


async def test_without_a_public_address_the_card_says_so(chat: Chat) -> None:
    context = context_of(chat.database, FakeServiceClients(), clock=chat.clock)
    chat.operations = real_operations(context, Encryption([KEY]))
    await stored(chat.database, integration(owner_tenant=TENANT, tenant_id=TENANT))
    chat.restart()
    card = await chat.say("export people")
    assert EN("export.unreachable") in words(card)
    assert set(buttons(card)) == {"people.show", "import_people.show"}
    viewer = Member(id="m", owner_tenant=TENANT, user_object_id=STRANGER, role=Role.VIEWER, invited_at=chat.now)
    await stored(chat.database, viewer)
    chat.person = STRANGER
    assert set(buttons(await chat.say("export people"))) == {"people.show"}
