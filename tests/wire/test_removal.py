"""Removing an integration in the chat, while Microsoft Graph is away: what the cards say, until it is done."""

import asyncio
from pathlib import Path

import pytest

from bot.activity import Address, Card, Undelivered
from bot.proactive.removal_message import RemovalMessage
from core.clock import utc_now
from sync.domain.jobs import SHOW_REMOVED
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import RecordingTurn, press, words
from tests.support.bot.texts import EN
from tests.support.clocks import FakeClock
from tests.support.engines import TENANT, RunningEngine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL, answer_call, connected_engine

ANA = "2001"


class Inbox:
    """The chat's channel: keeps what the bot sends by itself; ``failures`` are raised first."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.cards: list[Card] = []

    async def send(self, address: Address, card: Card, summary: str) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.cards.append(card)
        return "activity-1"

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None:
        raise NotImplementedError


def chat_of(running: RunningEngine, folder: Path) -> Chat:
    """An owner's chat with the engine itself."""
    chat = Chat(running.database, folder / "presence.db", tenant=TENANT)
    chat.operations = running.engine
    chat.restart()
    return chat


async def removes(chat: Chat) -> tuple[RecordingTurn, asyncio.Task[None]]:
    """The turn of pressing *Remove*, while it follows the removal."""
    asked = await chat.say("remove integration")
    turn = chat.new_turn(press(asked, "remove.now", {"typed_name": "Vale Verde"}))
    going = asyncio.create_task(chat.pipeline(turn))

    async def is_answered() -> bool:
        return bool(turn.replaced) or going.done()

    await eventually(is_answered)
    return turn, going


async def test_a_removal_that_takes_long_says_so_and_then_that_it_is_done(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        chat = chat_of(running, tmp_path)
        await answer_call(sandbox, ANA)
        await running.wait_until_shown(ANA, *IN_A_CALL)
        await sandbox.set_faults(graph_outage=True)
        turn, going = await removes(chat)
        assert EN("removing.what") in words(turn.replaced[-1])
        await sandbox.set_faults(graph_outage=False)
        await going
        assert EN("removed.what") in words(turn.replaced[-1])
        assert await sandbox.shown(ANA) == AVAILABLE


@pytest.mark.long
async def test_after_the_chat_has_stopped_looking_a_message_says_it(tmp_path: Path) -> None:
    """Graph does not come back: what is left in Teams expires. The first attempt to send the message fails."""
    clock, inbox = FakeClock(utc_now()), Inbox(Undelivered(503))
    async with connected_engine(tmp_path, clock=clock) as (sandbox, running):
        chat = chat_of(running, tmp_path)
        running.engine.jobs.replace(SHOW_REMOVED, RemovalMessage(chat.services, inbox, running.engine.jobs).show)
        await answer_call(sandbox, ANA)
        await running.wait_until_shown(ANA, *IN_A_CALL)
        await sandbox.set_faults(graph_outage=True)
        turn, going = await removes(chat)
        going.cancel()
        assert EN("removing.what") in words(turn.answer)

        async def is_said() -> bool:
            clock.advance(seconds=10)  # what was set ends after four hours, which must not pass here
            return bool(inbox.cards)

        await eventually(is_said)
        assert EN.plural("removed.left", 1) in words(inbox.cards[0])
        again = await chat.act("remove.progress", **press(turn.answer, "remove.progress").data)
        assert EN.plural("removed.left", 1) in words(again)
        assert len(inbox.cards) == 1
