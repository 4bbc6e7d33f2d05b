"""The middlewares about the conversation: personal chats only, stored address and language, welcome."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

from bot.activity import Action, Incoming, Installed, Message, Removed
from bot.cards import welcome as cards
from bot.cards.field_errors import Link
from bot.chat.authority import RoleWithdrawn, acting
from bot.chat.authorization import recognise
from bot.chat.context import CommandHandler, Proceed, TurnContext
from bot.chat.router import Router, language_said
from bot.chat.welcome import welcome_card
from bot.languages import Language
from storage.queries.chat import conversations
from storage.tables.conversations import Conversation
from sync.domain.roles import Role

SEEN_EVERY = timedelta(minutes=1)
"""How old what is stored of when a person was last seen may be."""


class PersonalChatOnly:
    """Asks people in groups and channels to use the personal chat, and shows nothing else there.

    The only exception is ``channel_command``: what an administrator may type in a channel.
    """

    def __init__(self, channel_command: Callable[[Incoming], CommandHandler | None]) -> None:
        self._channel_command = channel_command

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        incoming = context.turn.incoming
        if incoming.personal:
            return await proceed()
        handler = self._channel_command(incoming)
        if handler is not None and (await recognise(context)).covers(Role.ADMINISTRATOR):
            with suppress(RoleWithdrawn), acting(context, Role.ADMINISTRATOR):
                await handler(context)
        elif handler is not None:
            is_known = context.recognised
            texts = context.texts
            await context.show(cards.not_for_channel(texts) if is_known else cards.not_recognised(texts, ""))
        elif not isinstance(incoming.event, Removed):
            bot, texts = incoming.address.bot_id, context.texts
            link = Link(texts("personal.open"), context.services.links.personal_chat(bot)) if bot else None
            await context.show(cards.meet_in_personal(texts, link))
        return None


async def store_conversation(context: TurnContext, proceed: Proceed) -> None:
    """Store the address for proactive messages, and load the language of this conversation.

    It is the one that was chosen, or else Portuguese if the first words of any language are, or else the client's.
    """
    if isinstance(context.turn.incoming.event, Removed):
        async with context.services.database.writing() as session:
            await conversations.mark_unreachable(session, context.tenant, context.person)
        return
    async with context.services.database.session() as session:
        stored = await conversations.find(session, context.tenant, context.person)
    if stored is None or not _is_current(stored, context):
        stored = await _store(context)
    if stored.language in list(Language):
        context.texts = context.services.languages[Language(stored.language)]
    context.welcomed, context.admin_as = stored.welcomed, stored.admin_as
    context.client_zone = stored.time_zone
    await proceed()


def _is_current(stored: Conversation, context: TurnContext) -> bool:
    """Whether nothing is to be stored: most turns need no writer's turn, and wait for none."""
    has_language = stored.language is not None or _language_said(context) is None
    is_recent = abs(context.now - stored.seen_at) < SEEN_EVERY
    said = _said(context.turn.incoming)
    is_same = all(getattr(stored, name) == value for name, value in said.items())
    return has_language and is_recent and is_same and not stored.unreachable


def _language_said(context: TurnContext) -> Language | None:
    event = context.turn.incoming.event
    return language_said(event.text) if isinstance(event, Message) else None


def _said(incoming: Incoming) -> dict[str, str]:
    """What a turn says of its conversation, without what it leaves out."""
    known = {"locale": incoming.locale, "name": incoming.sender.name, "time_zone": incoming.time_zone}
    address = asdict(incoming.address)
    del address["tenant_id"]
    return address | {name: value for name, value in known.items() if value}


async def _store(context: TurnContext) -> Conversation:
    tenant, person, language = context.tenant, context.person, _language_said(context)
    async with context.services.database.writing() as session:
        said = _said(context.turn.incoming)
        stored = await conversations.upsert(
            session, tenant_id=tenant, user_object_id=person, now=context.now, **said
        )
        if stored.language is None and language is not None:
            stored.language = language if language is Language.PORTUGUESE else conversations.CLIENTS
            await conversations.set_language(session, tenant, person, stored.language)
    return stored


class Welcome:
    """Sends the welcome after an installation or with the first message.

    A command in that first message runs afterwards; other words are answered by the welcome alone.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        event = context.event
        if isinstance(event, Installed) or not context.welcomed:
            await context.send(await welcome_card(context))
            async with context.services.database.writing() as session:
                await conversations.mark_welcomed(session, context.tenant, context.person)
            command = self._router.command_of(event)
            if not isinstance(event, Action) and (command is None or command.key == "help"):
                return
        await proceed()
