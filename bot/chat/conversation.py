"""The middlewares about the conversation: personal chats only, stored address and language, welcome."""

from collections.abc import Callable
from contextlib import suppress

from bot.activity import Action, Incoming, Installed, Message, Removed
from bot.cards import welcome as cards
from bot.cards.field_errors import Link
from bot.chat.authority import RoleWithdrawn, acting
from bot.chat.authorization import recognise
from bot.chat.context import CommandHandler, Proceed, TurnContext
from bot.chat.router import Router, is_portuguese
from bot.chat.welcome import welcome_card
from bot.languages import Language
from storage.queries.chat import conversations
from sync.domain.roles import Role


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
        elif not isinstance(incoming.event, Removed):
            bot, texts = incoming.address.bot_id, context.texts
            link = Link(texts("personal.open"), context.services.links.personal_chat(bot)) if bot else None
            await context.show(cards.meet_in_personal(texts, link))
        return None


async def store_conversation(context: TurnContext, proceed: Proceed) -> None:
    """Store the address for proactive messages, and load the language of this conversation.

    It is the one that was chosen, or else Portuguese if the first words are, or else the client's.
    """
    async with context.services.database.writing() as session:
        if isinstance(context.turn.incoming.event, Removed):
            await conversations.mark_unreachable(session, context.tenant, context.person)
            return
        incoming = context.turn.incoming
        address = incoming.address
        stored = await conversations.upsert(
            session,
            tenant_id=context.tenant,
            user_object_id=context.person,
            service_url=address.service_url,
            conversation_id=address.conversation_id,
            user_id=address.user_id,
            bot_id=address.bot_id,
            channel_id=address.channel_id,
            locale=incoming.locale,
            now=context.now,
            name=incoming.sender.name,
            time_zone=incoming.time_zone,
        )
        if stored.language is None and isinstance(incoming.event, Message):
            stored.language = Language.PORTUGUESE if is_portuguese(incoming.event.text) else conversations.CLIENTS
            await conversations.set_language(session, context.tenant, context.person, stored.language)
    if stored.language in list(Language):
        context.texts = context.services.languages[Language(stored.language)]
    context.welcomed, context.admin_as = stored.welcomed, stored.admin_as
    context.client_zone = stored.time_zone
    await proceed()


class Welcome:
    """Sends the welcome after an installation or with the first message.

    A command in that first message runs afterwards; other words are answered by the welcome alone.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        event = context.turn.incoming.event
        if isinstance(event, Installed) or not context.welcomed:
            await context.send(await welcome_card(context))
            async with context.services.database.writing() as session:
                await conversations.mark_welcomed(session, context.tenant, context.person)
            command = self._router.command_of(event)
            if not isinstance(event, Action) and (command is None or command.key == "help"):
                return
        await proceed()
