"""The mapping in the chat: previewed, saved, refused, and why tells it; over the real services and a real file."""

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.presence import Presence
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import buttons, inputs, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import read_person

QUIET = {"on_call": "DoNotDisturb/Presenting", "in_conference": "DoNotDisturb/Presenting"}


async def mapping_of(chat: Chat) -> dict[str, str | None]:
    async with chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    return row.mapping


async def desired(chat: Chat) -> str | None:
    row: Person = await read_person(chat.database, "Sofia")
    return row.desired


@pytest.mark.parametrize("said", ["mapping", "correspondência de estados", "quiet second call"])
async def test_it_shows_mitels_defaults_first(talking: Chat, said: str) -> None:
    card = await talking.say(said)
    assert {name: field["value"] for name, field in inputs(card).items()} == {
        "show_on_call": "Busy/InACall",
        "show_in_conference": "Busy/InAConferenceCall",
        "show_do_not_disturb": "DoNotDisturb/Presenting",
        "show_ringing": "clear",
    }


async def test_a_quiet_second_call_is_previewed_and_then_saved(talking: Chat) -> None:
    card = await talking.press(await talking.say("mapping"), "mapping.quiet")
    for said in ("Sofia", "In a call → Do not disturb", EN("mapping.quiet.why")):
        assert said in words(card)
    assert (await mapping_of(talking), await desired(talking)) == ({}, Presence.IN_A_CALL)
    saved = await talking.press(card, "mapping.save")
    assert EN.plural("mapping.saved", 1) in words(saved)
    assert (await mapping_of(talking), await desired(talking)) == (QUIET, Presence.PRESENTING)
    again = await talking.press(saved, "mapping.reset")
    assert "Sofia" in words(again)
    await talking.press(again, "mapping.save")
    assert (await mapping_of(talking), await desired(talking)) == ({}, Presence.IN_A_CALL)


async def test_a_preview_of_what_was_chosen(talking: Chat) -> None:
    card = await talking.press(await talking.say("mapping"), "mapping.preview", {"show_ringing": "Busy/InACall"})
    assert EN("mapping.preview.none") in words(card)
    assert inputs(card)["show_ringing"]["value"] == "Busy/InACall"


@pytest.mark.parametrize("value", ["Busy/Busy", "Available/Available", "", "x" * 5000])
async def test_a_presence_that_cannot_be_chosen_is_refused(talking: Chat, value: str) -> None:
    for verb in ("mapping.save", "mapping.preview"):
        card = await talking.press(await talking.say("mapping"), verb, {"show_on_call": value})
        assert EN("mapping.refused") in words(card)
    assert await mapping_of(talking) == {}


async def test_the_slower_of_two_administrators_is_shown_the_change_of_the_first(talking: Chat) -> None:
    slow = await talking.say("mapping")
    await talking.press(await talking.press(await talking.say("mapping"), "mapping.quiet"), "mapping.save")
    card = await talking.press(slow, "mapping.save", {"show_on_call": "clear"})
    assert EN("edit.outdated") in words(card)
    assert EN("act.mapping") in words(card)
    assert "edit.open" not in buttons(card)
    assert buttons(card)["mapping.show"]
    assert await mapping_of(talking) == QUIET


async def test_why_tells_the_rule_that_was_used(talking: Chat) -> None:
    await talking.press(await talking.press(await talking.say("mapping"), "mapping.quiet"), "mapping.save")
    said = EN("why.rule.show.own", line=EN("line.on_call"), presence=EN("shown.presenting"))
    assert said in words(await talking.say("why Sofia"))
