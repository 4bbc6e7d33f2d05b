"""Names chosen by other people, on every card that shows one: they are plain text there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bot.activity import Card
from bot.commands import COMMANDS
from storage.tables.roles import Member
from sync.domain.model import IntegrationView, Preview, Unmatched, UnmatchedPerson, WouldSend
from sync.domain.presence import LineState, Presence
from sync.domain.roles import Role
from tests.support.bot.chat import NOW, Chat
from tests.support.bot.fakes import TENANT, buttons, parts, press
from tests.support.bot.history import fill_history
from tests.support.storage.stores import stored

LINK, REVERSED = "https://evil.example", "\u202e"
NAME = f"[Sign in]({LINK}) **now** {REVERSED}\n# <at>all</at>"
TYPED_BY_US = ("value", "data")
"""What an input holds and a button carries is not shown as text."""


@pytest.fixture
def hostile(chat: Chat) -> Chat:
    view = IntegrationView("i1", NAME, False, "", "account", "client", TENANT, "app", None, NOW)
    chat.integrations.stored["i1"] = (TENANT, view)
    left_out = tuple(UnmatchedPerson(NAME, NAME, reason) for reason in Unmatched)
    sent = (WouldSend(NAME, LineState.ON_CALL, Presence.IN_A_CALL),)
    chat.integrations.found = Preview(1, left_out, sent)
    return chat


def shown(card: Any) -> Iterator[str]:
    if isinstance(card, str):
        yield card
    elif isinstance(card, list):
        for item in card:
            yield from shown(item)
    elif isinstance(card, dict):
        for key, value in card.items():
            if key not in TYPED_BY_US:
                yield from shown(value)


def assert_harmless(card: Card) -> None:
    markdown = [part.get("text", "") for part in parts(card) if part["type"] == "TextBlock"]
    assert [text for text in markdown if LINK in text or "**now" in text] == []
    assert [text for text in shown(card) if REVERSED in text] == []
    assert [part["url"] for part in parts(card) if LINK in part.get("url", "")] == []


async def every_answer(chat: Chat) -> list[Card]:
    """What each command shows of the integration, and what each button of that leads to."""
    first = [await chat.say(command.titles["en"]) for command in COMMANDS]
    for card in first:
        for verb in buttons(card):
            await chat.turn(press(card, verb))
    return chat.shown


async def test_on_the_cards_of_people(chat: Chat) -> None:
    person: dict[str, Any] = {"owner_tenant": TENANT, "name": NAME, "invited_by_name": NAME, "invited_at": NOW}
    await stored(
        chat.database,
        Member(id="m", user_object_id="somebody", address=NAME, role=Role.OWNER, **person),
        Member(id="o", user_object_id="another", role=Role.OWNER, **person),
        Member(id="n", user_object_id="viewer", role=Role.VIEWER, **person),
    )
    for verb in ("open", "ask_remove", "change", "demote"):
        assert "Sign in" in json.dumps(await chat.act(f"admins.{verb}", member="m", was="owner", role="viewer"))
    chat.person = "viewer"
    assert "Sign in" in json.dumps(await chat.say("admins"))
    for card in chat.shown:
        assert_harmless(card)


async def test_on_every_card(hostile: Chat) -> None:
    await fill_history(hostile, 3, integration_name=NAME, actor_name=NAME)
    cards = await every_answer(hostile)
    assert sum("Sign in" in json.dumps(card) for card in cards) > 20
    for card in cards:
        assert_harmless(card)
