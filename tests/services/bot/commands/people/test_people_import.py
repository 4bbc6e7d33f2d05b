"""Exclusions and matches from a file: previewed, refused by line, applied as one; over a real file."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.activity import AttachedFile, Card, Message
from core.text import searchable
from storage.encryption import Encryption
from storage.queries import history
from storage.tables.directory import DirectoryState, DirectoryUser
from storage.tables.people import Endpoint, Person
from sync.domain.jobs import MATCH, POLL_NOW, PUSH
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.downloads import fetch, serving_files
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, SentFiles, buttons, inputs, link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, read_person, stored

JOBS = FakeJobs()


def named(key: str, **values: Any) -> Person:
    row = person(key, **{"address": f"{key}@example.com", **values}).sqlmodel_update({"name": key.title()})
    return row.sqlmodel_update({"search": searchable(row.name, row.address, row.extension)})


def account(name: str, **values: Any) -> DirectoryUser:
    user = f"teams {name}"
    return DirectoryUser(
        integration_id="i1", user_id=user, principal_name=f"{name}@contoso.example", round=1, **values
    )


@pytest.fixture
async def served(chat: Chat) -> AsyncIterator[Chat]:
    """A chat whose tenant has Ana, Gil and Eva, and five accounts, of which Ana's and Gil's are matched."""
    JOBS.deferred.clear()
    context = context_of(chat.database, FakeServiceClients(), JOBS, clock=chat.clock)
    chat.operations = real_operations(context, Encryption([KEY]))
    theirs = integration(id="i2", owner_tenant="theirs", tenant_id="theirs")
    await stored(chat.database, integration(owner_tenant=TENANT, tenant_id=TENANT), theirs)
    talking = {"line": "on_call", "desired": "Busy/InACall", "heard_at": chat.now}
    lost = {"teams_user_id": None, "unmatched": "not_found"}
    await stored(
        chat.database,
        named("ana", **talking),
        named("gil"),
        named("eva", **lost),
        named("zoe", integration_id="i2"),
    )
    accounts = [account("ana"), account("gil"), account("new"), account("guest", guest=True)]
    off = account("off", enabled=False)
    read = DirectoryState(integration_id="i1", tenant_id=TENANT, whole_at=chat.now)
    await stored(chat.database, *accounts, off, read)
    async with serving_files(chat):
        yield chat


async def pasted(chat: Chat, lines: str) -> Card:
    return await chat.act("import_people.paste", integration="i1", lines=lines)


async def sent(chat: Chat, content: bytes, text: str = "") -> Card:
    assert isinstance(chat.services.files, SentFiles)
    chat.services.files.files["https://files.example/1"] = content
    return (await chat.turn(Message(text, AttachedFile("people.csv", "https://files.example/1")))).answer


async def acts(chat: Chat) -> list[tuple[str, str, dict[str, Any]]]:
    async with chat.database.session() as session:
        return [(one.act, one.result, one.facts) for one in await history.page(session, TENANT, 0, 50)]


async def test_lines_are_previewed_then_imported_with_one_entry_in_the_history(served: Chat) -> None:
    lines = "Address;Excluded;Teams user\nana@example.com;yes;\nEVA@example.com;;new@contoso.example"
    card = await pasted(served, lines)
    said = words(card)
    assert EN("import.line", number=2, name="Ana") in said
    assert EN("import.line.excluded") in said
    assert EN("import.line.matched", account="new@contoso.example") in said
    assert not (await read_person(served.database, "ana")).excluded
    done = await served.press(card, "import_people.apply")
    assert EN.plural("import.excluded", 1) in words(done)
    ana, eva = [await read_person(served.database, key) for key in ("ana", "eva")]
    assert (ana.excluded, ana.due_at, ana.choices, ana.changed_by) == (True, served.now, 1, ADMIN)
    assert (eva.teams_user_id, eva.chosen_user_id, eva.unmatched) == ("teams new", "teams new", None)
    assert (ana.reach_changed_at, eva.reach_changed_at) == (None, served.now)
    async with served.database.session() as session:
        phone = await session.get(Endpoint, ("eva", "ext eva"))
    assert phone
    assert phone.poll_at == served.now
    assert await acts(served) == [("people_import", "done", {"excluded": 1, "matched": 1})]
    assert {PUSH, POLL_NOW} <= set(JOBS.now())
    mine = await served.press(done, "people.page")
    assert [name in words(mine) for name in ("Ana", "Eva", "Gil")] == [True, True, False]


async def test_the_exported_file_changes_nothing_until_it_is_edited(served: Chat) -> None:
    hand = named("rui", teams_user_id="teams off", chosen_user_id="teams off", extension="=1")
    await stored(served.database, hand)
    for locale, command in (("en-US", "export people"), ("pt-PT", "exportar pessoas")):
        served.locale = locale
        (url,) = link_urls(await served.say(command))
        _, _, text = await fetch(url)
        card = await sent(served, b"\xef\xbb\xbf" + text.encode())
        assert PT("import.nothing") in words(card) or EN("import.nothing") in words(card)
        assert "import_people.apply" not in buttons(card)
    edited = text.replace('"off@contoso.example"', '""').replace('"sim"', '""')
    card = await sent(served, edited.lstrip("\ufeff").encode("cp1252"))
    assert PT("import.line.unmatched") in words(card)
    await served.press(card, "import_people.apply")
    assert (await read_person(served.database, "rui")).chosen_user_id is None
    assert MATCH in JOBS.now()


@pytest.mark.parametrize(
    ("line", "fault", "detail"),
    [
        ("nobody@example.com;yes;", "unknown", ""),
        ("zoe@example.com;yes;", "unknown", ""),
        ("ana@example.com;perhaps;", "not_yes_or_no", "perhaps"),
        ("ana@example.com;=1+1;", "formula", "=1+1"),
        ("ana@example.com;yes;;more", "too_many_cells", ""),
        (";yes;", "nobody", ""),
        ("eva@example.com;;no@contoso.example", "not_found", "no@contoso.example"),
        ("eva@example.com;;guest@contoso.example", "guest", "guest@contoso.example"),
        ("eva@example.com;;off@contoso.example", "disabled", "off@contoso.example"),
        ("eva@example.com;;gil@contoso.example", "taken", "Gil"),
        ("gil@example.com;yes;", "duplicate", "2"),
        ("gil@example.com;no;", "contradictory", "2"),
    ],
)
async def test_a_faulty_line_is_named_and_nothing_is_imported(
    served: Chat, line: str, fault: str, detail: str
) -> None:
    card = await pasted(served, f"Address;Excluded;Teams user\ngil@example.com;yes;\n{line}\n")
    assert EN(f"import.fault.{fault}", detail=detail) in words(card)
    assert "3" in words(card)
    assert "import_people.apply" not in buttons(card)
    assert inputs(card)["lines"]["value"].endswith(f"{line}\n")
    view = await served.operations.imports.newest(TENANT, served.context(Message("")).actor)
    assert view
    await served.act("import_people.apply", **{"import": view.id})
    assert not (await read_person(served.database, "gil")).excluded
    assert await acts(served) == []


async def test_two_lines_give_one_account(served: Chat) -> None:
    lines = "Name,Teams user\nEva,new@contoso.example\nGil,new@contoso.example"
    assert EN("import.fault.given_twice", detail="2") in words(await pasted(served, lines))


async def test_of_several_people_of_one_name_another_column_names_one(served: Chat) -> None:
    await stored(served.database, named("other").sqlmodel_update({"name": "Ana"}))
    assert EN("import.fault.ambiguous") in words(await pasted(served, "Name;Excluded\nAna;yes"))
    card = await pasted(served, "Name;Extension;Excluded\nAna;ext other;yes")
    await served.press(card, "import_people.apply")
    assert [(await read_person(served.database, key)).excluded for key in ("ana", "other")] == [False, True]


async def test_a_name_is_found_without_its_accents_unless_another_is_written_so(served: Chat) -> None:
    for key, name in (("joao", "João Pereira"), ("ines", "Inês"), ("plain", "Ines")):
        one = named(key).sqlmodel_update({"name": name})
        await stored(served.database, one.sqlmodel_update({"search": searchable(name, one.address, one.extension)}))
    card = await pasted(served, "Name;Excluded\nJOAO PEREIRA;yes\nInes;yes")
    await served.press(card, "import_people.apply")
    excluded = [(await read_person(served.database, key)).excluded for key in ("joao", "ines", "plain")]
    assert excluded == [True, False, True]


async def test_who_changed_since_the_preview_is_named_and_shown_again(served: Chat) -> None:
    card = await pasted(served, "Address;Excluded\nana@example.com;yes\ngil@example.com;yes")
    served.person, served.admins = STRANGER, (ADMIN, STRANGER)
    served.restart()
    await served.act("person.exclude", integration="i1", person="ana", choices="0")
    served.person = ADMIN
    again = await served.press(card, "import_people.apply")
    assert EN.plural("import.changed", 1) in words(again)
    assert EN("import.changed.by", name="Ana", who="Somebody") in words(again)
    assert not (await read_person(served.database, "gil")).excluded
    assert ("people_import", "edited_meanwhile", {"changed": 1}) in await acts(served)
    await served.press(again, "import_people.apply")
    assert (await read_person(served.database, "gil")).excluded
    assert (await read_person(served.database, "ana")).choices == 1


async def test_a_line_that_changed_nothing_at_the_preview_is_compared_again(served: Chat) -> None:
    """Of who was excluded since; what was changed so that it still changes nothing is not shown."""
    lines = "Address,Excluded,Teams user\nana@example.com,,\nbea@example.com,,\ngil@example.com,yes,"
    await stored(served.database, named("bea"))
    card = await pasted(served, lines)
    assert EN.plural("import.unchanged", 2) in words(card)
    for key, act in (("ana", "person.exclude"), ("bea", "person.exclude"), ("bea", "person.include")):
        choices = (await read_person(served.database, key)).choices
        await served.act(act, integration="i1", person=key, choices=str(choices))
    again = await served.press(card, "import_people.apply")
    assert EN.plural("import.changed", 1) in words(again)
    assert "Ana" in words(again)
    assert not (await read_person(served.database, "gil")).excluded
    await served.press(again, "import_people.apply")
    excluded = {key: (await read_person(served.database, key)).excluded for key in ("ana", "bea", "gil")}
    assert excluded == {"ana": False, "bea": False, "gil": True}
    assert (await read_person(served.database, "bea")).choices == 2


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"enabled": False}, "disabled"), ({"guest": True}, "guest"), ({"user_id": "gone"}, "not_found")],
)
async def test_an_account_that_changed_since_the_preview_is_not_matched(
    served: Chat, change: dict[str, Any], fault: str
) -> None:
    card = await pasted(served, "Address;Teams user\neva@example.com;new@contoso.example")
    async with served.database.writing() as session:
        row = await session.get(DirectoryUser, ("i1", "teams new"))
        assert row
        row.sqlmodel_update(change)
        session.add(row)
    again = await served.press(card, "import_people.apply")
    assert EN(f"import.fault.{fault}", detail="new@contoso.example") in words(again)
    assert (await read_person(served.database, "eva")).teams_user_id is None


async def test_an_account_given_to_another_since_is_not_taken_from_them(served: Chat) -> None:
    card = await pasted(served, "Address;Teams user\neva@example.com;new@contoso.example")
    await served.act("person.save_match", integration="i1", person="gil", choices="0", principal_name="x@y.z")
    async with served.database.writing() as session:
        row = await session.get(Person, "gil")
        assert row
        row.teams_user_id = row.chosen_user_id = "teams new"
    again = await served.press(card, "import_people.apply")
    assert EN("import.fault.taken", detail="Gil") in words(again)
    assert (await read_person(served.database, "eva")).teams_user_id is None


async def test_a_preview_survives_the_process_and_a_second_press_changes_nothing_more(served: Chat) -> None:
    await pasted(served, "Address;Excluded\nana@example.com;yes")
    served.restart()
    card = await served.say("importar pessoas")
    await served.press(card, "import_people.apply")
    again = await served.press(card, "import_people.apply")
    assert EN("import.done") in words(again)
    assert (await read_person(served.database, "ana")).choices == 1


async def test_a_replaced_or_foreign_import_is_not_here(served: Chat) -> None:
    card = await pasted(served, "Address;Excluded\nana@example.com;yes")
    await pasted(served, "Address;Excluded\ngil@example.com;yes")
    assert EN("import.gone") in words(await served.press(card, "import_people.apply"))
    newest = await served.say("import people")
    served.person, served.admins = STRANGER, (ADMIN, STRANGER)
    served.restart()
    assert EN("import.gone") in words(await served.press(newest, "import_people.apply"))
    assert not (await read_person(served.database, "gil")).excluded


async def test_of_several_integrations_one_is_chosen_before_the_file(served: Chat) -> None:
    second = integration(id="i3", owner_tenant=TENANT, tenant_id=TENANT, client_id="another")
    await stored(served.database, second, named("max", integration_id="i3"))
    content = b"Address\tExcluded\nmax@example.com\tx\n"
    which = await sent(served, content)
    await served.press(which, "import_people.show", {"integration": "i3"})
    await served.press(await sent(served, content, "here it is"), "import_people.apply")
    assert (await read_person(served.database, "max")).excluded


async def test_long_imports_are_paged(served: Chat) -> None:
    await stored(served.database, *(named(f"p{number:02}") for number in range(25)))
    lines = "\n".join(f"p{number:02}@example.com,yes" for number in range(25))
    card = await pasted(served, f"address,excluded\n{lines}")
    second = await served.press(card, "import_people.page")
    assert EN("import.line", number=12, name="P10") in words(second)
    third = await served.press(second, "import_people.page", {"after": "21", "before": ""})
    assert EN("import.line", number=26, name="P24") in words(third)
    assert "after" not in str(buttons(third).get("import_people.page", ""))
