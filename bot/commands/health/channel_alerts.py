"""``alerts here``: the only command that works in a channel, for administrators only.

A channel receives only a confirmation; its notices carry no buttons, only a link to the personal chat.
"""

from functools import partial

from bot.activity import Incoming, Message
from bot.cards.health.alerts import channel_answer, channel_refused
from bot.chat.context import CommandHandler, TurnContext
from bot.chat.router import normalised
from storage.queries.health import alerts

WORDS = {
    "alerts here": True,
    "alertas aqui": True,
    "alerts off here": False,
    "sem alertas aqui": False,
    "alertas desligados aqui": False,
}
"""What is typed, and whether the channel receives notices from then on."""


def command_of(incoming: Incoming) -> CommandHandler | None:
    """The handler of the command typed in a channel; None for anything else."""
    event = incoming.event
    is_on = WORDS.get(normalised(event.text)) if isinstance(event, Message) else None
    return None if is_on is None else partial(set_alerts, is_on=is_on)


async def set_alerts(context: TurnContext, is_on: bool) -> None:
    """Start or stop sending notices to this channel."""
    address = context.turn.incoming.address
    conversation = address.conversation_id.partition(";")[0]
    is_added = True
    async with context.services.database.writing() as session:
        if is_on:
            is_added = await alerts.add_channel(
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
    answer = channel_answer(context.texts, is_on)
    await context.show(answer if is_added else channel_refused(context.texts, alerts.MAX_CHANNELS))
