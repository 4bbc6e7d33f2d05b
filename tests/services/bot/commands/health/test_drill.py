"""``drill``: the cards of a failure, made from the live integration; nothing acts and nothing is stored."""

from typing import Any

import pytest
from sqlmodel import SQLModel, select

from bot.activity import Card
from bot.cards.parts import verbs
from storage.encryption import Encryption
from storage.tables.conversations import Press
from storage.tables.history import HistoryEntry
from storage.tables.problems import Problem
from sync.domain.drills import Rehearsal
from sync.domain.presence import Presence
from sync.presence.plan import SESSION_SECONDS
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import TENANT, inputs, link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, stored

TITLES = {
    Rehearsal.SECRET: EN("fault.entra.secret_expired").rstrip("."),
    Rehearsal.WEBHOOKS: EN("notice.problem.events"),
    Rehearsal.GRAPH: EN("fault.graph.unreachable").rstrip("."),
}


@pytest.fixture
async def at(chat: Chat) -> Chat:
    """An integration with two people, one of them on the phone, beside another tenant's."""
    context = context_of(chat.database, FakeServiceClients(), clock=chat.clock)
    chat.operations = real_operations(context, Encryption([KEY]))
    theirs = integration(id="i2", owner_tenant="theirs", tenant_id="theirs")
    await stored(chat.database, integration(owner_tenant=TENANT, tenant_id=TENANT), theirs)
    call = {"line": "on_call", "desired": Presence.IN_A_CALL, "applied": Presence.IN_A_CALL}
    hidden = (person("out", **call, excluded=True), person("nobody", **call, teams_user_id=None))
    await stored(chat.database, person("ana", **call), person("rui"), *hidden)
    await stored(chat.database, person("their", integration_id="i2", **call))
    chat.restart()
    await chat.say("hello")
    return chat


async def begun(at: Chat, rehearsal: Rehearsal) -> Card:
    return await at.act("drill.begin", integration="i1", rehearsal=rehearsal.value)


async def everything(at: Chat) -> dict[str, list[Any]]:
    """All rows of all tables but the history's, and those that count presses."""
    left_out = {HistoryEntry.__tablename__, Press.__tablename__}
    async with at.database.session() as session:
        connection = await session.connection()
        return {
            name: sorted(map(str, (await connection.execute(table.select())).all()))
            for name, table in SQLModel.metadata.tables.items()
            if name not in left_out
        }


async def test_it_names_who_would_be_concerned_and_the_times_by_which_the_program_acts(at: Chat) -> None:
    menu = await at.say("simulacro")
    assert verbs(menu) == {"drill.begin", "status.show"}
    said = words(await begun(at, Rehearsal.SECRET))
    assert EN.plural("drill.on_the_phone", 1) in said
    assert "ana" in said
    assert "their" not in said
    assert EN.plural("drill.matched", 2) in said
    assert EN.plural("drill.alerted", 1) in said
    assert EN("drill.moment.kept", span=EN.span(SESSION_SECONDS)) in said
    assert EN("drill.moment.new_secret", span="5 seconds") in said


@pytest.mark.parametrize("rehearsal", Rehearsal)
async def test_it_shows_the_cards_of_a_real_failure_of_which_nothing_acts(at: Chat, rehearsal: Rehearsal) -> None:
    overview = await begun(at, rehearsal)
    cards = {
        name: await at.act("drill.step", integration="i1", rehearsal=rehearsal.value, step=name)
        for name in ("alert", "status", "clear")
    }
    assert TITLES[rehearsal] in words(cards["alert"])
    assert "Vale Verde" in words(cards["status"])
    for card in (overview, *cards.values()):
        assert EN("drill.banner") in words(card).splitlines()[1]
        assert card["fallbackText"].startswith("Drill: ")
        assert verbs(card) <= {"drill.step", "drill.show"}
        assert (inputs(card), link_urls(card), "refresh" in card) == ({}, [], False)
    wrong = rehearsal is not Rehearsal.WEBHOOKS
    assert (EN("status.enabled") in words(cards["status"])) is not wrong
    assert EN("drill.buttons", buttons="").strip() in words(cards["alert"])


async def test_nothing_is_stored_but_one_entry_of_the_history_and_no_service_is_called(at: Chat) -> None:
    before = await everything(at)
    for rehearsal in Rehearsal:
        await begun(at, rehearsal)
        for name in ("alert", "status", "clear", ""):
            await at.act("drill.step", integration="i1", rehearsal=rehearsal.value, step=name)
    assert await everything(at) == before
    async with at.database.session() as session:
        acts = (await session.exec(select(HistoryEntry).where(HistoryEntry.act == "drill"))).all()
    assert [entry.facts for entry in acts] == [{"rehearsal": rehearsal.value} for rehearsal in Rehearsal]
    assert PT("act.drill") == "Simulacro de falha realizado"


async def test_another_tenants_integration_is_unknown(at: Chat) -> None:
    for verb in ("drill.show", "drill.begin", "drill.step"):
        assert EN("stale.title") in words(await at.act(verb, integration="i2", rehearsal="graph"))


async def test_during_a_real_fault_it_shows_only_what_is_rehearsed(at: Chat) -> None:
    real = Problem(
        integration_id="i1", service="graph", fault="graph.forbidden", lasting=True, since=at.now, checked_at=at.now
    )
    await stored(at.database, real)
    card = await at.act("drill.step", integration="i1", rehearsal=Rehearsal.SECRET.value, step="status")
    assert EN("fault.entra.secret_expired") in words(card)
    assert EN("fault.graph.forbidden") not in words(card)
