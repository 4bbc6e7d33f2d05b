"""The schedule in the chat: tried, saved, refused with each line; status and why say the same."""

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.presence import Presence
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import buttons, inputs, words
from tests.support.bot.texts import EN, PT
from tests.support.storage.stores import read_person

NIGHTS = {"preset": "own", "time_zone": "UTC", **{f"day_{number}": "22:00-06:00" for number in range(7)}}
"""Closed at noon."""

UNTIL = "22:00"
NOT_SHOWN = {"filter": "not_shown"}


async def row_of(chat: Chat) -> Integration:
    async with chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    return row


@pytest.mark.parametrize("said", ["schedule", "horário", "holidays"])
async def test_at_first_calls_are_always_shown(talking: Chat, said: str) -> None:
    card = await talking.say(said)
    assert EN("schedule.always") in words(card)
    shown = {name: field.get("value") for name, field in inputs(card).items()}
    assert (shown["preset"], shown["time_zone"], shown["day_0"], shown["day_6"]) == (
        *("always", "UTC", "09:00-18:00"),
        None,
    )


async def test_hours_are_previewed_and_saved_and_status_and_why_say_so(talking: Chat) -> None:
    await showing(talking)
    card = await talking.press(await talking.say("schedule"), "schedule.preview", NIGHTS)
    for said in (EN("mapping.preview.title"), EN("schedule.closed", until=UNTIL), EN.plural("schedule.clears", 1)):
        assert said in words(card)
    assert (await row_of(talking)).schedule == {}
    saved = await talking.press(card, "schedule.save", {**NIGHTS, "holidays": "2026-12-25\n1.1.2027"})
    assert EN("schedule.saved") in words(saved)
    assert inputs(saved)["holidays"]["value"] == "2026-12-25\n2027-01-01"
    assert (await row_of(talking)).closed
    status = words(await talking.say("status"))
    assert EN("status.closed", until=UNTIL) in status
    assert not [key for key in ("status.enabled", "status.live") if EN(key) in status]
    why = await talking.say("why Sofia")
    assert EN("why.rule.closed", until=UNTIL) in words(why)
    history = words(await talking.say("history"))
    assert EN("act.schedule") in history
    assert EN("detail.value.own") in history


async def test_while_closed_enabling_mapping_and_including_promise_nothing_for_now(talking: Chat) -> None:
    await talking.press(await talking.say("schedule"), "schedule.save", NIGHTS)
    mapping = await talking.press(await talking.say("mapping"), "mapping.quiet")
    assert EN("mapping.preview.closed") in words(mapping)
    typed = {"mode": "except", "extensions": "2999"}
    dry_run = await talking.press(await talking.say("scope"), "scope.preview", typed)
    assert EN("preview.closed") in words(await talking.press(dry_run, "scope.save"))
    excluded = await talking.press(await talking.say("exclude Sofia"), "person.exclude")
    included = await talking.press(excluded, "person.include")
    assert EN("why.reason.closed", until=UNTIL) in words(included)
    await talking.press(await talking.say("disable presence"), "disable.now")
    preview = await talking.say("enable presence")
    assert EN("preview.closed") in words(preview)
    enabled = await talking.press(preview, "enable.now")
    assert EN("status.closed", until=UNTIL) in words(enabled)
    assert EN("enabled.what") not in words(enabled)
    assert "schedule.show" in buttons(enabled)


async def showing(chat: Chat) -> None:
    """Teams shows Sofia's call."""
    async with chat.database.writing() as session:
        person = await session.get(Person, "Sofia")
        assert person
        person.applied, person.applied_user_id = Presence.IN_A_CALL, person.teams_user_id
    assert (await read_person(chat.database, "Sofia")).applied


async def test_outside_the_hours_no_one_waits_and_without_a_schedule_calls_are_shown(talking: Chat) -> None:
    assert "⏳" in words(await talking.say("people"))
    saved = await talking.press(await talking.say("schedule"), "schedule.save", NIGHTS)
    people = await talking.say("people")
    assert "⏳" not in words(people)
    assert "Sofia" not in words(await talking.press(people, "people.search", NOT_SHOWN))
    again = await talking.press(saved, "schedule.save", {"preset": "always"})
    assert EN("schedule.always") in words(again)
    row = await row_of(talking)
    assert (row.schedule, row.closed) == ({}, False)


async def test_what_cannot_be_read_is_named_at_its_field_and_line_and_stays(talking: Chat) -> None:
    typed = {
        **NIGHTS,
        "day_2": "nine to five",
        "holidays": "2026-12-25\nChristmas\n31/02/2027",
        "time_zone": "Lisbn",
    }
    card = await talking.press(await talking.say("schedule"), "schedule.save", typed)
    said = words(card)
    assert EN("schedule.unread", day="Wednesday") in said
    assert EN("schedule.no_date", line="2", typed="Christmas") in said
    assert EN("schedule.no_date", line="3", typed="31/02/2027") in said
    assert "Europe/Lisbon" in said
    assert inputs(card)["day_2"]["value"] == "nine to five"
    assert (await row_of(talking)).schedule == {}


async def test_the_slower_of_two_administrators_is_shown_the_change_of_the_first(talking: Chat) -> None:
    await talking.press(await talking.say("schedule"), "schedule.save", NIGHTS)
    office, unread = {"preset": "office"}, {**NIGHTS, "day_2": "nine to five"}
    for verb, typed in (("schedule.save", office), ("schedule.preview", office), ("schedule.save", unread)):
        card = await talking.act(verb, **typed, integration="i1", revision="1")
        assert EN("edit.outdated") in words(card)
        assert EN("act.schedule") in words(card)
        assert buttons(card)["schedule.show"]
    assert (await row_of(talking)).closed


async def test_in_portuguese(talking: Chat) -> None:
    talking.locale = "pt-PT"
    card = await talking.press(await talking.say("horário"), "schedule.preview", NIGHTS)
    assert PT("schedule.closed", until=PT("time.until", time=UNTIL)) in words(card)
