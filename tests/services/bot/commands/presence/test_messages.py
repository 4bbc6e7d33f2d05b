"""The status messages in the chat: a text for each state of a phone."""

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import buttons, error_below, inputs, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import read_person

TYPED = {
    "text_on_call": "Ao telefone",
    "text_on_hold": "Em espera",
    "text_in_conference": "",
    "text_ringing": " A tocar\n",
    "text_do_not_disturb": "x" * 80,
}


@pytest.fixture
async def installed(talking: Chat) -> Chat:
    await at_version(talking, 3)
    return talking


async def at_version(chat: Chat, version: int) -> None:
    async with chat.database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row
        row.feature_version, row.status_text = version, "On the phone"


async def texts_of(chat: Chat) -> dict[str, str]:
    async with chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    return row.status_texts


async def test_before_the_update_they_lead_to_it(talking: Chat) -> None:
    card = await talking.say("status messages")
    assert EN("messages.needs_update") in words(card)
    assert buttons(card)["update.show"]
    assert not inputs(card)


async def test_the_text_of_calls_is_the_first_and_each_state_can_have_its_own(installed: Chat) -> None:
    card = await installed.say("mensagens de estado")
    shown = [field.get("value") for field in inputs(card).values()]
    assert shown == [*["On the phone"] * 3, None, None]
    saved = await installed.press(card, "messages.save", TYPED)
    assert EN("messages.saved") in words(saved)
    stored = {
        "on_call": "Ao telefone",
        "on_hold": "Em espera",
        "in_conference": "",
        "ringing": "A tocar",
        "do_not_disturb": "x" * 80,
    }
    assert await texts_of(installed) == stored
    person: Person = await read_person(installed.database, "Sofia")
    assert person.status_due_at == installed.now
    assert "Ao telefone" in words(await installed.say("history"))


async def test_a_text_that_is_too_long_is_not_cut_but_named_beside_its_field(installed: Chat) -> None:
    card = await installed.say("status messages")
    refused = await installed.press(card, "messages.save", {**TYPED, "text_ringing": "y" * 81})
    assert EN("messages.too_long", limit="80") in error_below(refused, "text_ringing")
    assert inputs(refused)["text_ringing"]["value"] == "y" * 81
    assert (await texts_of(installed)) == {}
    saved = await installed.press(refused, "messages.save", TYPED)
    assert EN("messages.saved") in words(saved)


async def test_the_slower_of_two_administrators_is_shown_the_change_of_the_first(installed: Chat) -> None:
    slow = await installed.say("status messages")
    await installed.press(await installed.say("status messages"), "messages.save", TYPED)
    card = await installed.press(slow, "messages.save", {"text_on_call": "Mine"})
    assert EN("edit.outdated") in words(card)
    assert buttons(card)["messages.show"]
    assert (await texts_of(installed))["on_call"] == "Ao telefone"
