"""The mapping in the chat: previewed, saved, refused, and why tells it; over the real services and a real file."""

from datetime import timedelta

import pytest

from bot.activity import Card
from storage.tables.integrations import Integration
from storage.tables.people import LineTime, Person
from sync.domain.presence import Presence
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import buttons, inputs, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import read_person, stored

QUIET = {"on_call": "DoNotDisturb/Presenting", "in_conference": "DoNotDisturb/Presenting"}


async def mapping_of(chat: Chat) -> dict[str, str | None]:
    async with chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    return row.mapping


async def desired(chat: Chat) -> str | None:
    row: Person = await read_person(chat.database, "Sofia")
    return row.desired


@pytest.mark.parametrize("said", ["mapping", "presence profiles", "perfis de presença", "quiet second call"])
async def test_it_shows_mitels_defaults_first(talking: Chat, said: str) -> None:
    card = await talking.say(said)
    assert {name: field["value"] for name, field in inputs(card).items()} == {
        "show_on_call": "Busy/InACall",
        "show_in_conference": "Busy/InAConferenceCall",
        "show_do_not_disturb": "DoNotDisturb/Presenting",
        "show_ringing": "leave",
        "show_on_hold": "leave",
        "show_idle": "clear",
        "show_offline": "clear",
    }


async def test_a_quiet_second_call_is_previewed_and_then_saved(talking: Chat) -> None:
    form = await talking.say("mapping")
    assert EN("mapping.quiet.why") in words(form)
    card = await talking.press(form, "mapping.quiet")
    for said in ("Sofia", "In a call → Do not disturb", EN("mapping.quiet.chosen")):
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


async def test_states_that_few_change_are_saved_said_by_why_and_kept_in_the_history(talking: Chat) -> None:
    more = {"show_on_call": "leave", "show_on_hold": "clear", "show_idle": "Busy/InACall"}
    saved = await talking.press(await talking.say("mapping"), "mapping.save", more)
    assert {name: inputs(saved)[name]["value"] for name in more} == more
    assert await mapping_of(talking) == {"on_call": "leave", "on_hold": None, "idle": "Busy/InACall"}
    line = EN("line.counts_as", line=EN("line.on_call"), other=EN("line.idle"))
    said = EN("why.rule.show.own", line=line, presence=EN("shown.inacall"))
    assert said in words(await talking.say("why Sofia"))
    kept = f"{EN('line.on_call')}: {EN('mapping.show.leave')}, {EN('line.on_hold')}: {EN('mapping.show.clear')}"
    assert kept in words(await talking.say("history"))


async def test_a_free_phone_cannot_be_left_alone(talking: Chat) -> None:
    card = await talking.press(await talking.say("mapping"), "mapping.save", {"show_idle": "leave"})
    assert EN("mapping.refused", state=EN("mapping.state.idle")) in words(card)
    assert await mapping_of(talking) == {}


@pytest.mark.parametrize("value", ["Busy/Busy", "Available/Available", "", "x" * 5000])
async def test_a_presence_that_cannot_be_chosen_is_refused(talking: Chat, value: str) -> None:
    for verb in ("mapping.save", "mapping.preview"):
        card = await talking.press(await talking.say("mapping"), verb, {"show_on_call": value})
        assert EN("mapping.refused", state=EN("mapping.state.on_call")) in words(card)
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


async def with_reception(chat: Chat) -> tuple[Card, str]:
    """The list with a mapping named Reception, and its id."""
    some = await chat.press(await chat.say("mapping"), "mapping.some")
    card = await chat.press(some, "mapping.add", {"name": "Reception"})
    async with chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    return card, row.further[0]["id"]


async def choose(chat: Chat, mapping_id: str, choices: str = "0") -> Card:
    whom = {"integration": "i1", "person": "Sofia", "choices": choices}
    return await chat.act("mapping.choose", mapping=mapping_id, **whom)


async def test_a_mapping_for_some_people_applies_to_those_chosen(talking: Chat) -> None:
    card, reception = await with_reception(talking)
    assert EN("further.added", name="Reception") in words(card)
    form = await talking.act("mapping.quiet", integration="i1", mapping=reception)
    assert EN("mapping.preview.none") in words(form)
    await talking.press(form, "mapping.save")
    assert (await mapping_of(talking), await desired(talking)) == ({}, Presence.IN_A_CALL)
    chosen = await choose(talking, reception)
    assert EN("person.mapping", mapping="Reception") in words(chosen)
    assert await desired(talking) == Presence.PRESENTING
    said = {"line": EN("line.on_call"), "presence": EN("shown.presenting"), "mapping": "Reception"}
    assert EN("why.rule.show.named", **said) in words(await talking.say("why Sofia"))
    await talking.press(await talking.press(await talking.say("mapping"), "mapping.quiet"), "mapping.reset")
    listed = await talking.act("mapping.some", integration="i1")
    assert EN.plural("further.people", 1) in words(listed)


async def test_when_a_mapping_is_removed_the_integrations_own_applies_again(talking: Chat) -> None:
    _, reception = await with_reception(talking)
    await talking.press(await talking.act("mapping.quiet", integration="i1", mapping=reception), "mapping.save")
    await choose(talking, reception)
    form = await talking.act("mapping.show", integration="i1", mapping=reception)
    assert EN.plural("further.removed", 1) in words(await talking.press(form, "mapping.remove"))
    row = await read_person(talking.database, "Sofia")
    assert (row.desired, row.mapping) == (Presence.IN_A_CALL, "")
    again = await talking.act("mapping.remove", integration="i1", mapping=reception, revision="4")
    assert EN("edit.outdated") in words(again)
    assert EN("edit.outdated") in words(await choose(talking, reception, "1"))


@pytest.mark.parametrize(
    ("name", "fault"), [("", "no_name"), (" reception ", "name_taken"), ("abc8Q~" + "a" * 32, "no_name")]
)
async def test_a_name_that_cannot_be_used_is_refused(talking: Chat, name: str, fault: str) -> None:
    await with_reception(talking)
    card = await talking.act("mapping.add", integration="i1", revision="2", name=name)
    assert EN(f"further.{fault}") in words(card)


async def test_there_are_ten_mappings_at_most(talking: Chat) -> None:
    for number in range(10):
        card = await talking.act("mapping.add", integration="i1", revision=str(number + 1), name=f"m{number}")
    assert "mapping.add" not in buttons(card)
    card = await talking.act("mapping.add", integration="i1", revision="11", name="one more")
    assert EN("further.too_many") in words(card)


async def test_the_slower_of_two_who_choose_for_a_person_learns_who_was_first(talking: Chat) -> None:
    _, reception = await with_reception(talking)
    await choose(talking, reception)
    assert EN("person.meanwhile", who="Somebody") in words(await choose(talking, "own"))
    assert (await read_person(talking.database, "Sofia")).chosen_mapping == reception
    form = await talking.act("mapping.person", integration="i1", person="Sofia")
    await talking.press(form, "mapping.choose", {"mapping": "rules"})
    assert (await read_person(talking.database, "Sofia")).chosen_mapping == ""


async def test_yesterday_is_replayed_with_the_choices(talking: Chat) -> None:
    yesterday = (talking.now - timedelta(days=1)).date()
    key = {"integration_id": "i1", "person_id": "Sofia", "day": yesterday.isoformat()}
    await stored(talking.database, LineTime(**key, state="on_call", seconds=41 * 60))
    own = {"show_on_call": "clear"}
    card = await talking.press(await talking.say("mapping"), "mapping.preview", own)
    less = {"before": EN("mapping.show.InACall"), "time": EN.plural("replay.minutes", 41)}
    assert EN("replay.title", day=EN.date(yesterday)) in words(card)
    assert EN("replay.less", name="Sofia", **less) in words(card)
    assert EN.plural("replay.total.less", 1, **less) in words(card)
    same = await talking.press(await talking.say("mapping"), "mapping.preview")
    assert EN("replay.none") in words(same)
