"""``auto-rotate``: whether the bot rotates the secret automatically, thirty days before it expires."""

from bot.activity import Message
from bot.cards.credentials import rotation as cards
from bot.chat.context import Command, TurnContext
from bot.chat.router import normalised
from bot.commands.choice import choose
from bot.commands.credentials import monitors
from sync.domain.model import IntegrationView
from sync.domain.roles import Role

ON = (
    *("auto-rotate on", "auto rotate on", "ligar renovação automática", "ativar renovação automática"),
    *("ligar rotação automática", "ativar rotação automática"),
)
OFF = (
    *("auto-rotate off", "auto rotate off", "desligar renovação automática", "desativar renovação automática"),
    *("desligar rotação automática", "desativar rotação automática"),
)


async def open_auto_rotate(context: TurnContext) -> None:
    event = context.event
    said = normalised(event.text) if isinstance(event, Message) else ""
    if said in map(normalised, ON):
        await choose(context, "auto_rotate.on", turn_on)
    elif said in map(normalised, OFF):
        await choose(context, "auto_rotate.off", turn_off)
    else:
        await choose(context, "auto_rotate.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    possible = await context.operations.credentials.may_rotate(context.tenant, view.id)
    listed = await monitors.listed_names(context, view)
    await context.show(cards.automatic(context.texts, view, possible, context.services.links, listed))


async def turn_on(context: TurnContext, view: IntegrationView) -> None:
    """Only if the application permits it; the card shows what is missing."""
    if await context.operations.credentials.may_rotate(context.tenant, view.id):
        await context.operations.credentials.set_auto_rotate(context.tenant, view.id, True, context.actor)
    await _show_again(context, view)


async def turn_off(context: TurnContext, view: IntegrationView) -> None:
    await context.operations.credentials.set_auto_rotate(context.tenant, view.id, False, context.actor)
    await _show_again(context, view)


async def _show_again(context: TurnContext, view: IntegrationView) -> None:
    context.data = {"integration": view.id}
    await show(context)


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def on(context: TurnContext) -> None:
    await turn_on(context, await context.integration())


async def off(context: TurnContext) -> None:
    await turn_off(context, await context.integration())


COMMAND = Command(
    key="auto_rotate",
    titles={"en": "auto-rotate", "pt": "renovação automática"},
    descriptions={
        "en": "Renew the secret automatically",
        "pt": "Renovar o segredo automaticamente",
    },
    aliases=("auto rotate", "rotação automática", *ON, *OFF),
    listed=False,
    open=open_auto_rotate,
    least=Role.ADMINISTRATOR,
    actions={"auto_rotate.show": show, "auto_rotate.on": on, "auto_rotate.off": off},
)
