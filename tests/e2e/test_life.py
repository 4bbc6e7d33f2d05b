"""The life of an integration, end to end: alert, rotation, monitors, feature updates."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.cards import Json, elements, words
from tests.e2e.journeys import ENGLISH, NAME, TONGUES, Tongue, connect
from tests.e2e.playground import Message, Playground, running_playground
from tests.e2e.product import Bot, becomes, running_product
from tests.e2e.searches import contents, everything_kept, leaks

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(300)]

ANA, SOFIA = "2001", "2019"
ON_A_CALL = "Busy/InACall"
ADMINISTRATOR = "Demo Administrator"
MONITORS = ("Receção", "Armazém")
WRONG = "Wr0ng~client.secret-typed_by.mistake-4711"
UNASKED = 45.0
"""Seconds within which the bot sends a message by itself: it checks every ten."""


def day_in(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def is_warned(chat: Playground, tongue: Tongue, days: int) -> Message:
    """The proactive alert, with its remedy and its other actions."""
    soon = tongue.texts.plural("notice.expiry.soon", days, what=tongue("notice.what.secret"))
    warning = await chat.told(soon, NAME, seconds=UNASKED)
    for title in ("notice.replace", "notice.remind", "notice.told"):
        assert tongue(title) in warning.words.splitlines()
    return warning


async def asks_who_else_is_told(chat: Playground, tongue: Tongue, warning: Message) -> None:
    await chat.press_on(warning, tongue("notice.told"))
    told = await chat.card_with(tongue("notice.told.title"))
    assert told.id != warning.id
    assert [ADMINISTRATOR, tongue("alerts.state.told")] == told.words.splitlines()[-2:]


async def lists_monitors(chat: Playground, tongue: Tongue) -> None:
    await chat.say(tongue.monitors)
    await chat.card_with(tongue("monitors.none"))
    await chat.press(tongue("button.monitors_add"), names="\n".join(MONITORS))
    await chat.card_with(*MONITORS, tongue("button.monitors_remove"))


async def replaces_the_secret(chat: Playground, tongue: Tongue, warning: Message, value: str, expires: str) -> None:
    """From the alert's own button: one typed wrong, its ID in place of its Value refused, then the right one."""
    form = await chat.press_on(warning, tongue("notice.replace"))
    assert tongue("rotate.title") in form.words
    await chat.press(tongue("button.rotate"), client_secret=WRONG, expires_on=expires)
    refused = await chat.card_with(tongue("rotate.other_app"), tongue("rotate.title"))
    assert WRONG not in refused.words
    await chat.press(tongue("button.rotate"), client_secret=value, expires_on=expires)
    await chat.card_with(tongue("rotate.replaced"))


async def sees_who_replaced_it(chat: Playground, tongue: Tongue, warning: Message) -> None:
    """The alert itself, updated in place."""
    closed = await chat.told(tongue("notice.closed.title"), ADMINISTRATOR, seconds=UNASKED)
    assert closed.id == warning.id
    said = tongue("notice.closed.replaced_by", by=ADMINISTRATOR, when=tongue.texts.date(datetime.now(UTC).date()))
    assert said.rstrip(".") in closed.words
    assert tongue("notice.replace") not in closed.words


async def renews_the_monitors(chat: Playground, tongue: Tongue) -> None:
    """The bot asks by itself whether they hold the same secret, and keeps the checklist."""
    asked = await chat.told(tongue("monitors.asked"), *MONITORS)
    checklist = await chat.press_on(asked, tongue("button.same_secret"))
    assert tongue("monitors.progress", done="0", total="2") in checklist.words
    ids = choices(checklist.card)
    await chat.press_on(checklist, tongue("button.tick"), monitors=ids[MONITORS[0]])
    assert tongue("monitors.progress", done="1", total="2") in checklist.words
    await chat.press_on(checklist, tongue("button.tick"), monitors=ids[MONITORS[1]])
    assert tongue("monitors.all_done") in checklist.words
    assert checklist.words.count(ADMINISTRATOR) == len(MONITORS)


def choices(card: Json) -> dict[str, str]:
    return {each["title"]: each["value"] for each in elements(card) if each.keys() >= {"title", "value"}}


async def renames(chat: Playground, tongue: Tongue, name: str) -> None:
    await chat.say(tongue.edit)
    await chat.press(tongue("button.rename"))
    await chat.press(tongue("button.save"), name=name)
    await chat.card_with(tongue("edit.renamed"), name)
    await chat.say(tongue.integrations)
    listed = await chat.card_with(tongue("integrations.title"), name)
    assert f"✅ {tongue('service.entra')}" in listed.words
    await chat.press(tongue("button.open"))
    await chat.card_with(tongue("integration.title"), tongue("button.pause"))


async def downloads_the_history(chat: Playground, tongue: Tongue) -> list[str]:
    """The lines of the file that the card links to."""
    await chat.say(tongue.export)
    card = (await chat.card_with(tongue("export.title"), tongue("export.download"))).card
    [link] = [each["url"] for each in elements(card) if each.get("type") == "Action.OpenUrl"]
    async with aiohttp.ClientSession() as http, http.get(link) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        return (await response.text(encoding="utf-8-sig")).splitlines()


@pytest.mark.parametrize("tongue", TONGUES, ids=["english", "portuguese"])
async def test_a_proactive_alert_has_a_button_that_replaces_the_secret(tmp_path: Path, tongue: Tongue) -> None:
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", tongue.locale) as chat,
    ):
        values = await connect(chat, sandbox, tongue, day_in(5))
        warning = await is_warned(chat, tongue, 5)
        await asks_who_else_is_told(chat, tongue, warning)
        await lists_monitors(chat, tongue)

        old = (await sandbox.state())["registration"]["secrets"][-1]
        assert old["value"] == values.teams["client_secret"]
        new = await sandbox.new_secret("The next one")
        await replaces_the_secret(chat, tongue, warning, new["value"], new["endDateTime"][:10])
        await sees_who_replaced_it(chat, tongue, warning)
        await renews_the_monitors(chat, tongue)

        await sandbox.expire_secret(old["keyId"])
        await bot.kill()
        await bot.start()
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)

        await renames(chat, tongue, "Sede do Porto")
        await chat.say(tongue.history)
        acts = (tongue(f"act.{act}") for act in ("rotate", "monitors_tick", "rename"))
        await chat.card_with(*acts, ADMINISTRATOR)
        lines = await downloads_the_history(chat, tongue)
        assert lines[0].startswith(tongue("export.column.when"))
        assert any(tongue("act.rotate") in line and ADMINISTRATOR in line for line in lines)

        found = await everything_kept(chat, sandbox, bot, tmp_path / "logs")
        found["history as a file"] = "\n".join(lines).encode()
    found |= {f"{name} (after the end)": each for name, each in contents(bot.data, tmp_path / "logs").items()}
    typed = {values.cloudlink["cloudlink_secret"], old["value"], WRONG, new["value"]}
    assert leaks(found, typed) == {}
    assert any(b"Sede do Porto" in each for name, each in found.items() if ".db" in name)


async def test_a_reminder_pauses_the_alert_until_tomorrow(tmp_path: Path) -> None:
    async with running_product(tmp_path) as (sandbox, bot), running_playground(bot.url, tmp_path / "logs") as chat:
        await connect(chat, sandbox, ENGLISH, day_in(5))
        warning = await is_warned(chat, ENGLISH, 5)
        await chat.press_on(warning, ENGLISH("notice.remind"))
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert ENGLISH("notice.reminded.when", day=ENGLISH.texts.date(tomorrow)) in warning.words
        rows = stored(bot, "SELECT stage, state, due_at FROM notice WHERE topic = 'expiry'")
        assert sorted(str(row[1]) for row in rows) == ["sent", "waiting"]
        [due] = [row[2] for row in rows if row[1] == "waiting"]
        assert str(due).startswith(tomorrow.isoformat())


def stored(bot: Bot, query: str) -> list[tuple[object, ...]]:
    """Rows of the bot's database file."""
    with closing(sqlite3.connect(f"file:{bot.data / 'presence.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def go_back_to_the_first_version(bot: Bot) -> None:
    """Make the integration as the first release left it; the bot must be stopped."""
    with closing(sqlite3.connect(bot.data / "presence.db")) as connection, connection:
        connection.execute("UPDATE integration SET feature_version = 1")


def percentages(chat: Playground, message: Message) -> list[int]:
    """The percentages of that message's progress bar, in order."""
    events = [json.loads(frame) for frame in chat.seen if message.id in frame]
    updates = [each["message"] for each in events if each.get("action") == "updateMessage"]
    shown = [words(each["attachments"][0]["content"]) for each in updates if each["messageId"] == message.id]
    return [int(found[1]) for text in shown if (found := re.search(r"^(\d+)\s%$", text, re.MULTILINE))]


@pytest.mark.parametrize("tongue", TONGUES, ids=["english", "portuguese"])
async def test_an_update_is_offered_and_installed_with_progress(tmp_path: Path, tongue: Tongue) -> None:
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", tongue.locale) as chat,
    ):
        await connect(chat, sandbox, tongue)
        await bot.stop()
        go_back_to_the_first_version(bot)
        await bot.start()
        await sandbox.call(SOFIA)
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)
        offer = await chat.told(tongue("notice.update"), tongue("notice.install"), seconds=UNASKED)
        await chat.say(tongue.status)
        await chat.card_with(tongue("update.available", version="3"), tongue("button.install_update"))
        assert "/".join(await sandbox.shown(SOFIA)) != ON_A_CALL

        await chat.say(tongue.update)
        dialog = await chat.card_with(tongue("update.here"), tongue("button.install_update"))
        for version in (2, 3):
            assert tongue(f"update.{version}.name") in dialog.words
            assert tongue(f"update.{version}.notes") in dialog.words
        assert tongue.texts.plural("update.2.effect.matched", 1) in dialog.words
        assert "Sofia Marques" in dialog.words
        await sandbox.set_faults(slow_seconds=1.5)
        await chat.press_on(dialog, tongue("button.install_update"))
        done = await chat.told(tongue("update.completed"), tongue("button.done"), seconds=60)
        await sandbox.set_faults(slow_seconds=0)
        assert done.id == dialog.id
        bar = percentages(chat, dialog)
        assert bar == sorted(bar)
        assert bar[-1] == 100
        assert any(0 < each < 100 for each in bar), bar

        await chat.press_on(dialog, tongue("button.done"))
        assert tongue("update.stands_on", version="3") in dialog.words
        await becomes(sandbox, SOFIA, ON_A_CALL)
        await becomes(sandbox, ANA, ON_A_CALL)
        closed = await chat.told(tongue("notice.closed.title"), seconds=UNASKED)
        assert closed.id == offer.id
        await chat.say(tongue.history)
        await chat.card_with(tongue("act.update_installed"), ADMINISTRATOR)


@pytest.mark.timeout(450)
async def test_a_refused_secret_is_alerted_immediately_with_an_all_clear_later(tmp_path: Path) -> None:
    async with running_product(tmp_path) as (sandbox, bot), running_playground(bot.url, tmp_path / "logs") as chat:
        await connect(chat, sandbox, ENGLISH)
        old = (await sandbox.state())["registration"]["secrets"][-1]
        await bot.stop()
        await sandbox.expire_secret(old["keyId"])
        await sandbox.call(ANA)
        await bot.start()
        refused = ENGLISH("notice.problem.wrong", service=ENGLISH("service.entra"))
        alarm = await chat.told(refused, ENGLISH("fault.entra.secret_expired"), seconds=90)
        assert "/".join(await sandbox.shown(ANA)) != ON_A_CALL

        new = await sandbox.new_secret("The next one")
        form = await chat.press_on(alarm, ENGLISH("notice.replace"))
        typed = {"client_secret": new["value"], "expires_on": new["endDateTime"][:10]}
        await chat.press_on(form, ENGLISH("button.rotate"), **typed)
        await becomes(sandbox, ANA, ON_A_CALL)
        clear = await chat.told(ENGLISH("notice.clear", service=ENGLISH("service.entra")), seconds=240)
        assert clear.id != alarm.id
        closed = await chat.told(ENGLISH("notice.closed.title"), ADMINISTRATOR, seconds=UNASKED)
        assert closed.id == alarm.id
