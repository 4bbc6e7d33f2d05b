"""The life of an integration, end to end: alert, rotation, monitors, feature updates.

Each in one language; test_life_by_hand.py has the same cards in both.
"""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.cards.parts import NBSP
from tests.e2e.cards import Json, elements, words
from tests.e2e.journeys import ENGLISH, NAME, PORTUGUESE, Wording, connect
from tests.e2e.playground import Message, Playground, running_playground
from tests.e2e.product import Bot, becomes, running_product
from tests.e2e.searches import contents, leaks, stored_output
from tests.support.bot.texts import problem_words
from tests.support.eventually import eventually

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(300)]

ANA, SOFIA = "2001", "2019"
ON_A_CALL = "Busy/InACall"
ADMINISTRATOR = "Demo Administrator"
MONITORS = ("Receção", "Armazém")
WRONG = "Wr0ng~client.secret-typed_by.mistake-4711"
PROACTIVE_SECONDS = 90.0
"""Seconds within which the bot sends a message by itself: it checks every ten."""


def day_in(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def is_warned(chat: Playground, wording: Wording, days: int, bot: Bot) -> Message:
    """The proactive alert, with its remedy and its other actions, once it is also stored that it was sent."""
    soon = wording.texts.plural("notice.expiry.soon", days, what=wording("notice.what.secret"))
    warning = await chat.message_with(soon, NAME, seconds=PROACTIVE_SECONDS)
    for title in ("button.rotate", "notice.remind", "notice.told"):
        assert wording(title) in warning.words.splitlines()
    await eventually(lambda: query_rows(bot, "SELECT state FROM notice WHERE topic = 'expiry'") == [("sent",)])
    return warning


async def shows_the_recipients(chat: Playground, wording: Wording, warning: Message) -> None:
    await chat.press_on(warning, wording("notice.told"))
    recipients = await chat.card_with(wording("notice.told.title"))
    assert recipients.id != warning.id
    said = recipients.words.splitlines()
    assert said[-3:] == [ADMINISTRATOR, wording("alerts.state.told"), wording("alerts.title")]


async def lists_monitors(chat: Playground, wording: Wording) -> None:
    await chat.say(wording.monitors)
    await chat.card_with(wording("monitors.none"))
    await chat.press(wording("button.monitors_add"), names="\n".join(MONITORS))
    await chat.card_with(*MONITORS, wording("button.monitors_remove"))


async def replaces_the_secret(
    chat: Playground, wording: Wording, warning: Message, value: str, expires: str
) -> None:
    """From the alert's own button: one typed wrong, its ID in place of its Value refused, then the right one."""
    form = await chat.press_on(warning, wording("button.rotate"))
    assert wording("rotate.title") in form.words
    await chat.press(wording("button.rotate"), client_secret=WRONG, expires_on=expires)
    refused = await chat.card_with(wording("rotate.other_app"), wording("rotate.title"))
    assert WRONG not in refused.words
    await chat.press(wording("button.rotate"), client_secret=value, expires_on=expires)
    await chat.card_with(wording("rotate.replaced"))


async def sees_who_replaced_it(chat: Playground, wording: Wording, warning: Message) -> None:
    """The alert itself, updated in place."""
    closed = await chat.message_with(wording("notice.closed.title"), ADMINISTRATOR, seconds=PROACTIVE_SECONDS)
    assert closed.id == warning.id
    said = wording("notice.closed.replaced_by", by=ADMINISTRATOR, when=wording.texts.date(datetime.now(UTC).date()))
    assert said.rstrip(".") in closed.words
    assert wording("button.rotate") not in closed.words


async def renews_the_monitors(chat: Playground, wording: Wording) -> None:
    """The bot asks by itself whether they hold the same secret, and keeps the checklist."""
    asked = await chat.message_with(wording("monitors.asked"), *MONITORS)
    checklist = await chat.press_on(asked, wording("button.same_secret"))
    assert wording("monitors.progress", done="0", total="2") in checklist.words
    ids = choices(checklist.card)
    await chat.press_on(checklist, wording("button.tick"), monitors=ids[MONITORS[0]])
    assert wording("monitors.progress", done="1", total="2") in checklist.words
    await chat.press_on(checklist, wording("button.tick"), monitors=ids[MONITORS[1]])
    assert wording("monitors.all_done") in checklist.words
    assert checklist.words.count(ADMINISTRATOR) == len(MONITORS)


def choices(card: Json) -> dict[str, str]:
    return {each["title"]: each["value"] for each in elements(card) if each.keys() >= {"title", "value"}}


async def renames(chat: Playground, wording: Wording, name: str) -> None:
    await chat.say(wording.edit)
    await chat.press(wording("button.rename"))
    await chat.press(wording("button.save"), name=name)
    await chat.card_with(wording("edit.renamed"), name)
    await chat.say(wording.integrations)
    listed = await chat.card_with(wording("integrations.title"), name)
    assert f"✅{NBSP}{wording('service.entra')}" in listed.words
    await chat.press(wording("button.open"))
    await chat.card_with(wording("integration.title"), wording("button.disable"))


async def downloads_the_history(chat: Playground, wording: Wording) -> list[str]:
    """The lines of the file that the card links to."""
    await chat.say(wording.export)
    card = (await chat.card_with(wording("export.title"), wording("export.download"))).card
    [link] = [each["url"] for each in elements(card) if each.get("type") == "Action.OpenUrl"]
    async with aiohttp.ClientSession() as http, http.get(link) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        return (await response.text(encoding="utf-8-sig")).splitlines()


@pytest.mark.parametrize("wording", [PORTUGUESE], ids=["portuguese"])
async def test_a_proactive_alert_has_a_button_that_replaces_the_secret(tmp_path: Path, wording: Wording) -> None:
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as chat,
    ):
        values = await connect(chat, sandbox, wording, day_in(5))
        warning = await is_warned(chat, wording, 5, bot)
        await shows_the_recipients(chat, wording, warning)
        await lists_monitors(chat, wording)

        old = (await sandbox.state())["registration"]["secrets"][-1]
        assert old["value"] == values.teams["client_secret"]
        new = await sandbox.new_secret("The next one")
        await replaces_the_secret(chat, wording, warning, new["value"], new["endDateTime"][:10])
        await sees_who_replaced_it(chat, wording, warning)
        await renews_the_monitors(chat, wording)

        await sandbox.expire_secret(old["keyId"])
        await bot.kill()
        await bot.start()
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)

        await renames(chat, wording, "Sede do Porto")
        await chat.say(wording.history)
        acts = (wording(f"act.{act}") for act in ("rotate", "monitors_tick", "rename"))
        await chat.card_with(*acts, ADMINISTRATOR)
        lines = await downloads_the_history(chat, wording)
        assert wording("export.column.when") in lines[0]
        assert any(wording("act.rotate") in line and ADMINISTRATOR in line for line in lines)

        found = await stored_output(chat, sandbox, bot, tmp_path / "logs")
        found["history as a file"] = "\n".join(lines).encode()
    found |= {f"{name} (after the end)": each for name, each in contents(bot.data, tmp_path / "logs").items()}
    typed = {values.cloudlink["cloudlink_secret"], old["value"], WRONG, new["value"]}
    assert leaks(found, typed) == {}
    assert any(b"Sede do Porto" in each for name, each in found.items() if ".db" in name)


async def test_a_reminder_pauses_the_alert_until_tomorrow(tmp_path: Path) -> None:
    async with running_product(tmp_path) as (sandbox, bot), running_playground(bot.url, tmp_path / "logs") as chat:
        await connect(chat, sandbox, ENGLISH, day_in(5))
        warning = await is_warned(chat, ENGLISH, 5, bot)
        await chat.press_on(warning, ENGLISH("notice.remind"))
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert ENGLISH("notice.reminded.when", day=ENGLISH.texts.date(tomorrow)) in warning.words
        rows = query_rows(bot, "SELECT stage, state, due_at FROM notice WHERE topic = 'expiry'")
        assert sorted(str(row[1]) for row in rows) == ["sent", "waiting"]
        [due] = [row[2] for row in rows if row[1] == "waiting"]
        assert str(due).startswith(tomorrow.isoformat())


def query_rows(bot: Bot, query: str) -> list[tuple[object, ...]]:
    """Rows of the bot's database file."""
    with closing(sqlite3.connect(f"file:{bot.data / 'presence.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def go_back_to_the_first_version(bot: Bot) -> None:
    """Make the integration as the first release left it, enabled long ago; the bot must be stopped."""
    with closing(sqlite3.connect(bot.data / "presence.db")) as connection, connection:
        connection.execute("UPDATE integration SET feature_version = 1, enabled_at = '2020-01-01 00:00:00.000000'")


def its_problems_ended_earlier(bot: Bot, minutes: int) -> None:
    """As if the bot, which must be stopped, had been down for so long: an all-clear waits for two minutes."""
    earlier = f"strftime('%Y-%m-%d %H:%M:%f000', healed_at, '-{minutes} minutes')"
    with closing(sqlite3.connect(bot.data / "presence.db")) as connection, connection:
        changed = connection.execute(f"UPDATE problem SET healed_at = {earlier} WHERE healed_at IS NOT NULL")  # noqa: S608
        assert changed.rowcount


def percentages(chat: Playground, message: Message) -> list[int]:
    """The percentages of that message's progress bar, in order."""
    events = [json.loads(frame) for frame in chat.seen if message.id in frame]
    updates = [each["message"] for each in events if each.get("action") == "updateMessage"]
    shown = [words(each["attachments"][0]["content"]) for each in updates if each["messageId"] == message.id]
    return [int(found[1]) for text in shown if (found := re.search(r"^(\d+)\s%$", text, re.MULTILINE))]


@pytest.mark.parametrize("wording", [ENGLISH], ids=["english"])
async def test_an_update_is_offered_and_installed_with_progress(tmp_path: Path, wording: Wording) -> None:
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as chat,
    ):
        await connect(chat, sandbox, wording)
        await bot.stop()
        go_back_to_the_first_version(bot)
        await bot.start()
        await sandbox.call(SOFIA)
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)
        offer = await chat.message_with(
            wording("notice.update"), wording("notice.install"), seconds=PROACTIVE_SECONDS
        )
        await chat.say(wording.status)
        await chat.card_with(wording("update.available", version="2"), wording("button.install_update"))
        assert "/".join(await sandbox.shown(SOFIA)) != ON_A_CALL

        await chat.say(wording.update)
        dialog = await chat.card_with(wording("update.here"), wording("button.install_update"))
        assert wording("update.2.name") in dialog.words
        assert wording("update.2.notes") in dialog.words
        assert wording.texts.plural("update.2.effect.matched", 1) in dialog.words
        assert "Sofia Marques" in dialog.words
        await sandbox.set_faults(slow_seconds=1.5)
        await chat.press_on(dialog, wording("button.install_update"))
        done = await chat.message_with(wording("update.completed"), wording("button.done"), seconds=60)
        await sandbox.set_faults(slow_seconds=0)
        assert done.id == dialog.id
        bar = percentages(chat, dialog)
        assert bar == sorted(bar)
        assert (bar[0], bar[-1]) == (0, 100)

        await chat.press_on(dialog, wording("button.done"))
        assert wording("update.stands_on", version="2") in dialog.words
        await becomes(sandbox, SOFIA, ON_A_CALL)
        await becomes(sandbox, ANA, ON_A_CALL)
        closed = await chat.message_with(wording("notice.closed.title"), seconds=PROACTIVE_SECONDS)
        assert closed.id == offer.id
        await chat.say(wording.history)
        await chat.card_with(wording("act.update_installed"), ADMINISTRATOR)


async def test_a_refused_secret_is_alerted_immediately_with_an_all_clear_later(tmp_path: Path) -> None:
    async with running_product(tmp_path) as (sandbox, bot), running_playground(bot.url, tmp_path / "logs") as chat:
        await connect(chat, sandbox, ENGLISH)
        old = (await sandbox.state())["registration"]["secrets"][-1]
        await bot.stop()
        await sandbox.expire_secret(old["keyId"])
        await sandbox.call(ANA)
        await bot.start()
        refused = problem_words("entra.secret_expired")
        alarm = await chat.message_with(*refused, ENGLISH("fault.entra.secret_expired.remedy"), seconds=90)
        assert "/".join(await sandbox.shown(ANA)) != ON_A_CALL

        new = await sandbox.new_secret("The next one")
        form = await chat.press_on(alarm, ENGLISH("button.rotate"))
        typed = {"client_secret": new["value"], "expires_on": new["endDateTime"][:10]}
        await chat.press_on(form, ENGLISH("button.rotate"), **typed)
        await becomes(sandbox, ANA, ON_A_CALL)
        await bot.stop()
        its_problems_ended_earlier(bot, minutes=2)
        await bot.start()
        clear = await chat.message_with(
            ENGLISH("notice.clear.refusal", service=ENGLISH("service.entra")), seconds=PROACTIVE_SECONDS
        )
        assert clear.id != alarm.id
        closed = await chat.message_with(ENGLISH("notice.closed.title"), ADMINISTRATOR, seconds=PROACTIVE_SECONDS)
        assert closed.id == alarm.id
