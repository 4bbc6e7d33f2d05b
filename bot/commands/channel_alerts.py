"""The one thing said in a channel that is obeyed there: ``alerts here``, by an administrator. All else is refused.

A channel is answered with a confirmation and nothing else; its notices carry no button but a link to the chat.
"""

from bot.activity import Incoming, Message
from bot.cards.notices import channel_answer
from bot.chat.context import TurnContext
from bot.chat.router import normalised
from storage.queries import alerts

WORDS = {
    "alerts here": True,
    "alertas aqui": True,
    "alerts off here": False,
    "sem alertas aqui": False,
    "alertas desligados aqui": False,
}
"""What is said, and whether the channel is to be warned from then on."""


def wish(incoming: Incoming) -> bool | None:
    """Whether warnings are wanted here or no longer; None for anything else."""
    event = incoming.event
    return WORDS.get(normalised(event.text)) if isinstance(event, Message) else None


async def obey(context: TurnContext, is_on: bool) -> None:
    """Begin or end to warn this channel."""
    address = context.turn.incoming.address
    conversation = address.conversation_id.partition(";")[0]
    async with context.services.database.writing() as session:
        if is_on:
            await alerts.add_channel(
                session,
                owner_tenant=context.tenant,
                conversation_id=conversation,
                service_url=address.service_url,
                bot_id=address.bot_id,
                channel_id=address.channel_id,
                language=context.texts.language.value,
                added_by=context.person,
                now=context.now,
            )
        else:
            await alerts.remove_channel(session, context.tenant, conversation)
    await context.show(channel_answer(context.texts, is_on))
