"""Presence monitors in the chat: the list, the question after a rotation, and the checklist."""

from datetime import timedelta
from typing import Any

import pytest

from bot.activity import Card, Message
from bot.chat.context import TurnContext
from bot.commands.credentials import monitors as command
from bot.languages import Language
from storage.queries import history
from storage.queries.monitors import MAX_MONITORS
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.domain.model import IntegrationView
from sync.domain.roles import Role
from sync.domain.rotation import OldSecretLeft
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import TENANT, RecordingTurn, buttons, error_below, inputs, press, words
from tests.support.bot.setup_wizard import at_preview
from tests.support.bot.texts import EN


@pytest.fixture
async def one(chat: Chat) -> IntegrationView:
    """The only integration, with a stored row that its monitors refer to."""
    await chat.press(await at_preview(chat), "setup.later")
    (view,) = await chat.integrations.list(TENANT)
    await keep(chat, _row(view))
    return view


def _row(view: IntegrationView) -> Integration:
    return Integration(
        id=view.id,
        owner_tenant=TENANT,
        name=view.name,
        created_at=view.created_at,
        cloudlink_account_id=view.cloudlink_account_id,
        cloudlink_client_id=view.cloudlink_client_id,
        cloudlink_secret_sealed="sealed",
        tenant_id=view.tenant_id,
        client_id=view.client_id,
        client_secret_sealed="sealed",
        webhook_token_sealed="sealed",
        webhook_token_hash=view.id,
    )


async def keep(chat: Chat, *rows: Any) -> None:
    async with chat.database.writing() as session:
        session.add_all(rows)


async def rotated(chat: Chat, view: IntegrationView, name: str = "r1", kind: str = "by_hand") -> None:
    """A rotation that ended well; one by the bot left the old secret to the monitors that are listed."""
    left = "" if kind == "by_hand" else OldSecretLeft.MONITORS
    given: dict[str, Any] = {"integration_id": view.id, "owner_tenant": TENANT, "kind": kind, "step": "done"}
    given["fault"] = left
    await keep(chat, Rotation(id=name, started_at=chat.now, finished_at=chat.now, **given))


async def add(chat: Chat, *names: str) -> Card:
    return await chat.press(await chat.say("monitors"), "monitors.add", {"names": "\n".join(names)})


def choices(card: Card) -> dict[str, str]:
    return {choice["title"]: choice["value"] for choice in inputs(card)["monitors"]["choices"]}


async def checklist(chat: Chat, view: IntegrationView, *names: str) -> Card:
    await add(chat, *names)
    await rotated(chat, view)
    card = await chat.press(await chat.say("monitors"), "monitors.ask")
    return await chat.press(card, "monitors.same")


async def acts(chat: Chat) -> list[tuple[str, str]]:
    async with chat.database.session() as session:
        found = await history.page(session, TENANT, 0, 50)
    recorded = [(act.act, str(act.facts.get("monitor", ""))) for act in found if act.act.startswith("monitors")]
    return sorted(recorded)


@pytest.mark.parametrize(("locale", "said"), [("en-US", "monitors"), ("pt-PT", "monitores de presença")])
async def test_the_list_is_kept(chat: Chat, one: IntegrationView, locale: str, said: str) -> None:
    chat.locale = locale
    card = await chat.say(said)
    assert set(buttons(card)) == {"monitors.add"}
    await chat.press(card, "monitors.add", {"names": " Lobby \r\n\r\nAttic\nlobby"})
    card = await chat.say(said)
    assert list(choices(card)) == ["Attic", "Lobby"]
    assert await acts(chat) == [("monitors_add", "Attic"), ("monitors_add", "Lobby")]
    card = await chat.press(card, "monitors.remove", {"monitors": choices(card)["Attic"]})
    assert list(choices(card)) == ["Lobby"]
    assert ("monitors_remove", "Attic") in await acts(chat)


TOO_LONG = "Lobby\n" + "x" * 61


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("  \n ", EN("check.names_needed")),
        (TOO_LONG, EN("check.names_too_long")),
        ("Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0", EN("check.secret_here")),
    ],
)
async def test_empty_names_are_refused(chat: Chat, one: IntegrationView, names: str, said: str) -> None:
    card = await chat.press(await chat.say("monitors"), "monitors.add", {"names": names})
    assert said in error_below(card, "names")
    assert inputs(card)["names"].get("value", "").strip() == (names.strip() if "Q~" not in names else "")
    assert await acts(chat) == []


@pytest.mark.parametrize(("kind", "how"), [("by_hand", "how"), ("for_me", "own"), ("automatic", "own")])
async def test_a_secret_that_nobody_saw_is_not_to_be_pasted(
    chat: Chat, one: IntegrationView, kind: str, how: str
) -> None:
    await add(chat, "Lobby")
    await rotated(chat, one, kind=kind)
    card = await chat.press(await chat.say("monitors"), "monitors.ask")
    card = await chat.press(card, "monitors.same")
    assert EN(f"monitors.checklist.{how}") in words(card)
    main = "monitors.secret" if how == "own" else "monitors.tick"
    assert [verb for verb, one in buttons(card).items() if one.get("style") == "positive"] == [main]


async def test_fifty_are_enough(chat: Chat, one: IntegrationView) -> None:
    card = await add(chat, *(f"Monitor {number}" for number in range(70)))
    assert len(choices(card)) == MAX_MONITORS
    assert "monitors.add" not in buttons(card)
    assert "names" not in inputs(card)


async def test_after_a_rotation_it_asks_in_a_card_of_its_own(chat: Chat, one: IntegrationView) -> None:
    assert await offered(chat, one) == [], "there are no monitors"
    await add(chat, "Lobby")
    assert await offered(chat, one) == [], "there was no rotation"
    await rotated(chat, one)
    (card,) = await offered(chat, one)
    assert "Lobby" in words(card)
    await chat.press(card, "monitors.other")
    assert await offered(chat, one) == [], "it was answered"


async def offered(chat: Chat, view: IntegrationView) -> list[Card]:
    """The cards that ``offer`` sends at the end of another command."""
    turn: RecordingTurn = chat.new_turn(Message("x"))
    services = chat.services
    await command.offer(TurnContext(turn, services, services.languages[Language.ENGLISH], role=Role.OWNER), view)
    return turn.sent


async def test_another_secret_needs_nothing_and_is_not_asked_again(chat: Chat, one: IntegrationView) -> None:
    await add(chat, "Lobby")
    await rotated(chat, one)
    card = await chat.press(await chat.say("monitors"), "monitors.ask")
    assert "Nothing to do" in words(await chat.press(card, "monitors.other"))
    assert "monitors.ask" not in buttons(await chat.say("monitors"))
    chat.now += timedelta(days=1)
    await rotated(chat, one, "r2")
    assert "monitors.ask" in buttons(await chat.say("monitors"))


async def test_each_is_ticked_in_the_same_card_with_who_and_when(chat: Chat, one: IntegrationView) -> None:
    card = await checklist(chat, one, "Lobby", "Attic", "Cellar")
    assert "0 of 3 updated" in words(card)
    ids = choices(card)
    turn = await chat.turn(press(card, "monitors.tick", {"monitors": f"{ids['Lobby']},{ids['Attic']}"}))
    assert turn.sent == []
    card = turn.answer
    assert "2 of 3 updated" in words(card)
    assert list(choices(card)) == ["Cellar"]
    chat.now += timedelta(hours=2)
    card = await chat.press(await chat.say("monitors"), "monitors.checklist")
    assert "Somebody · 2 hours ago" in words(card)
    card = await chat.press(card, "monitors.tick", {"monitors": choices(card)["Cellar"]})
    assert "Every presence monitor has the new secret" in words(card)
    assert set(buttons(card)) == {"monitors.show"}
    assert [act for act in await acts(chat) if act[0] == "monitors_tick"] == [
        ("monitors_tick", "Attic"),
        ("monitors_tick", "Cellar"),
        ("monitors_tick", "Lobby"),
    ]


async def test_an_old_card_and_a_double_press_are_harmless(chat: Chat, one: IntegrationView) -> None:
    card = await checklist(chat, one, "Lobby", "Attic")
    action = press(card, "monitors.tick", {"monitors": choices(card)["Lobby"]})
    await chat.turn(action)
    before = await acts(chat)
    assert "1 of 2 updated" in words((await chat.turn(action)).answer)
    assert await acts(chat) == before


async def test_a_second_answer_does_not_count(chat: Chat, one: IntegrationView) -> None:
    await add(chat, "Lobby")
    await rotated(chat, one)
    card = await chat.press(await chat.say("monitors"), "monitors.ask")
    await chat.press(card, "monitors.other")
    assert "monitors.tick" not in buttons(await chat.press(card, "monitors.same"))
    assert await acts(chat) == [("monitors_add", "Lobby"), ("monitors_other", "")]


async def test_the_list_says_how_many_are_open(chat: Chat, one: IntegrationView) -> None:
    await checklist(chat, one, "Lobby", "Attic")
    card = await chat.say("monitors")
    assert EN.plural("monitors.open", 2) in words(card)
    assert "monitors.checklist" in buttons(card)
    chat.locale = "pt-PT"
    assert "2 monitores de presença ainda têm o segredo antigo" in words(await chat.say("monitores"))


async def test_status_says_it_too(chat: Chat, one: IntegrationView) -> None:
    chat.integrations.monitors_open = 2
    assert EN.plural("monitors.open", 2) in words(await chat.say("status"))


@pytest.mark.parametrize("verb", command.COMMAND.actions)
async def test_another_tenants_are_not_there(chat: Chat, one: IntegrationView, verb: str) -> None:
    ids = choices(await checklist(chat, one, "Lobby"))
    before = await acts(chat)
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    card = await chat.act(verb, integration=one.id, rotation="r1", monitors=ids["Lobby"], names="Mine")
    assert "out of date" in words(card)
    chat.tenant = TENANT
    assert await acts(chat) == before


@pytest.mark.parametrize("rotation", ["", "r2", "nothing"])
async def test_a_forged_rotation_changes_nothing(chat: Chat, one: IntegrationView, rotation: str) -> None:
    await add(chat, "Lobby")
    await rotated(chat, one)
    await chat.act("monitors.same", integration=one.id, rotation=rotation)
    assert await acts(chat) == [("monitors_add", "Lobby")]
