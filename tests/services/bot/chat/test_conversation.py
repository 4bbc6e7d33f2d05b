"""The middlewares about the conversation, each on its own."""

from unittest.mock import AsyncMock

from bot.activity import Installed, Message, Removed
from bot.chat.conversation import SEEN_EVERY, PersonalChatOnly, Welcome, store_conversation
from bot.chat.router import Router
from bot.commands import COMMANDS
from bot.languages import Language
from storage.queries.chat import conversations
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import STRANGER, RecordingTurn, words
from tests.support.bot.texts import EN


async def test_a_personal_chat_proceeds(chat: Chat) -> None:
    proceed = AsyncMock()
    await PersonalChatOnly(lambda _: None)(chat.context(Message("status")), proceed)
    proceed.assert_awaited_once()


async def test_a_channel_command_runs_for_an_administrator_only(chat: Chat) -> None:
    chat.personal, proceed, handler = False, AsyncMock(), AsyncMock()
    only_personal = PersonalChatOnly(lambda _: handler)
    await only_personal(chat.context(Message("alerts here")), proceed)
    handler.assert_awaited_once()
    chat.person = STRANGER
    await only_personal(chat.context(Message("alerts here")), proceed)
    handler.assert_awaited_once()
    proceed.assert_not_awaited()


async def test_others_learn_who_may_have_alerts_sent_to_a_channel(chat: Chat) -> None:
    chat.personal, chat.person = False, STRANGER
    assert EN("channel.forbidden") in words(await chat.say("alerts here"))
    assert EN("channel.forbidden") not in words(await chat.say("status"))


async def test_in_a_personal_chat_it_says_how_alerts_come_to_a_channel(chat: Chat) -> None:
    assert EN("alerts.title") in words(await chat.say("alerts here"))


async def test_a_removed_bot_marks_the_conversation_unreachable_and_stops(chat: Chat) -> None:
    proceed = AsyncMock()
    await store_conversation(chat.context(Removed()), proceed)
    proceed.assert_not_awaited()
    async with chat.database.session() as session:
        stored = await conversations.find(session, chat.tenant, chat.person)
    assert stored is not None
    assert stored.unreachable


async def test_the_stored_language_replaces_the_clients(chat: Chat) -> None:
    await chat.act("language.set", language="pt")
    context = chat.context(Message("help"))
    await store_conversation(context, AsyncMock())
    assert context.texts.language is Language.PORTUGUESE
    assert context.welcomed


async def test_a_turn_that_says_nothing_new_waits_for_no_writer(chat: Chat) -> None:
    await chat.say("hello")
    async with chat.database.writing():
        await chat.say("help")
    chat.zone = "Europe/Lisbon"
    await chat.say("help")
    chat.now += SEEN_EVERY
    await chat.say("help")
    async with chat.database.session() as session:
        stored = await conversations.find(session, chat.tenant, chat.person)
    assert stored is not None
    assert (stored.time_zone, stored.seen_at) == ("Europe/Lisbon", chat.now)


async def test_the_welcome_is_sent_before_a_first_command_and_alone_otherwise(chat: Chat) -> None:
    welcome = Welcome(Router(COMMANDS))
    for event, proceeds in ((Message("status"), 1), (Message("hello there"), 0), (Installed(), 0)):
        context, proceed = chat.context(event), AsyncMock()
        await welcome(context, proceed)
        assert isinstance(context.turn, RecordingTurn)
        assert context.turn.summaries == ["Welcome to CloudLink Presence"]
        assert proceed.await_count == proceeds
