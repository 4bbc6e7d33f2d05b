"""``report``: what changed and what failed, from the store; and the file by a link."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.text import searchable
from storage.encryption import Encryption
from storage.queries.health import figures
from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.domain.reports import Figure, facts_of, report_in
from sync.presence.delays import BUCKET, bucket_of, hour_of
from tests.support.bot.chat import KEY, NOW, Chat
from tests.support.bot.downloads import fetch, rows, serving_files
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, buttons, link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, stored

HOUR = hour_of(NOW - timedelta(hours=5))


@pytest.fixture
async def quiet(chat: Chat) -> AsyncIterator[Chat]:
    """An integration in which nothing happened, beside another tenant's where all went wrong."""
    context = context_of(chat.database, FakeServiceClients(), clock=chat.clock)
    chat.operations = real_operations(context, Encryption([KEY]))
    theirs = integration(id="i2", owner_tenant="theirs", tenant_id="theirs")
    await stored(chat.database, integration(owner_tenant=TENANT, tenant_id=TENANT), theirs)
    await stored(chat.database, failed("i2"), person("their", integration_id="i2", unmatched="guest"))
    async with serving_files(chat):
        yield chat


@pytest.fixture
async def busy(quiet: Chat) -> Chat:
    """A fault of two hours, people who changed, slow calls that were overruled; and all of it long ago, too."""
    long_ago, lately = NOW - timedelta(days=8), NOW - timedelta(days=2)
    await stored(quiet.database, failed("i1", long_ago), failed("i1", lately))
    left: dict[str, Any] = {"teams_user_id": None, "unmatched": "not_found"}
    await stored(
        quiet.database,
        *(named(f"out {number}", f"Out {number}", reach_changed_at=lately, **left) for number in range(4)),
        named("back", "Back Again", reach_changed_at=lately),
        named("old", "Long Out", reach_changed_at=long_ago, **left),
        named("no", "Not Licensed", refusal="403 Forbidden", refused_since=lately),
    )
    async with quiet.database.writing() as session:
        counts = {Figure.SHOWN.value: 40, Figure.OVERRULED.value: 12, f"{BUCKET}{bucket_of(8)}": 40}
        await figures.add(session, {("i1", HOUR, name): count for name, count in counts.items()})
        await figures.add(session, {("i1", HOUR - 30 * 86_400, Figure.SHOWN.value): 9})
    return quiet


def failed(integration_id: str, since: datetime = NOW - timedelta(hours=4)) -> Problem:
    """The secret expired, and was replaced two hours later."""
    return Problem(
        integration_id=integration_id,
        service="entra",
        fault="entra.secret_expired",
        lasting=True,
        since=since,
        checked_at=since,
        healed_at=since + timedelta(hours=2),
    )


def named(key: str, name: str, **values: Any) -> Person:
    row = person(key, **values).sqlmodel_update({"name": name})
    return row.sqlmodel_update({"search": searchable(row.name, row.address, row.extension)})


@pytest.mark.parametrize(
    ("typed", "days"), [("report", 7), ("report today", 1), ("Relatório de hoje", 1), ("relatório hoje?", 1)]
)
async def test_it_is_of_the_time_that_is_said(quiet: Chat, typed: str, days: int) -> None:
    pressed = buttons(await quiet.say(typed))["report.export"]
    assert pressed["data"]["days"] == str(days)


async def test_where_nothing_happened_it_says_so(quiet: Chat) -> None:
    card = await quiet.say("report")
    assert EN("report.nothing") in words(card)
    assert "Their" not in words(card)


async def test_each_change_and_fault_of_the_week_has_a_line_with_its_button(busy: Chat) -> None:
    card = await busy.say("relatório")
    said = words(card)
    assert EN("fault.entra.secret_expired").rstrip(".") in said
    assert "Fixed after 2 hours" in said
    assert EN.plural("report.left_out", 4) in said
    assert EN.plural("report.and_more", 1, names="Out 0, Out 1, Out 2") in said
    assert EN.plural("report.newly_shown", 1) in said
    assert EN.plural("report.refused", 1) in said
    assert EN.plural("report.overruled", 12, shown="40") in said
    assert EN("report.slowest", when="22 Nov 2026, 07:00 UTC") in said
    assert EN.plural("report.calls", 40) in said
    assert "Long Out" not in said
    pressed = [line["selectAction"]["verb"] for line in card["body"] if "selectAction" in line]
    assert pressed == ["status.show", *["people.left_out"] * 2, *["people.show"] * 2, "test.run"]


async def test_of_the_last_day_only_what_happened_then(busy: Chat) -> None:
    card = await busy.press(await busy.say("report"), "report.show")
    assert EN.plural("report.title", 1) == card["fallbackText"]
    assert "Out 0" not in words(card)
    assert EN("report.slowest", when="22 Nov 2026, 07:00 UTC") in words(card)


async def test_the_file_has_every_hour_and_every_fault(busy: Chat) -> None:
    busy.locale = "pt-PT"
    card = await busy.press(await busy.say("relatório"), "report.export")
    (url,) = link_urls(card)
    status, headers, text = await fetch(url)
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    hour, fault = rows(text, ";")
    assert (hour[PT("export.report.from")], hour[PT("export.report.shown")]) == ("2026-11-22T07:00:00+00:00", "40")
    assert fault[PT("export.report.fault")] == "entra.secret_expired"
    busy.now += timedelta(minutes=11)
    assert (await fetch(url))[0] == 404


async def test_the_file_is_of_the_time_that_the_report_is_of(busy: Chat) -> None:
    day = await busy.press(await busy.say("report"), "report.show")
    card = await busy.press(day, "report.export")
    assert EN.plural("export.report.what", 1) in words(card)
    _, _, text = await fetch(link_urls(card)[0])
    (hour,) = rows(text)
    assert hour[EN("export.report.shown")] == "40"


async def test_another_tenants_report_is_unknown(busy: Chat) -> None:
    for verb in ("report.show", "report.export"):
        assert EN("stale.title") in words(await busy.act(verb, integration="i2"))
    busy.person = STRANGER
    assert "Out 0" not in words(await busy.say("report"))
    busy.person = ADMIN


async def test_what_a_notice_keeps_of_it_has_no_names(busy: Chat) -> None:
    report = await busy.operations.reports.read(TENANT, "i1", 7)
    facts = facts_of(report)
    assert report.left_out.names
    assert "Out" not in str(facts)
    assert report_in(facts).faults == report.faults
    assert report_in(facts).left_out.count == 4
