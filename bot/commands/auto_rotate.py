"""``auto-rotate``: whether the bot replaces the secret by itself, thirty days before it expires."""

from bot.cards import rotation as cards
from bot.commands.choice import choose
from bot.exchange import Command, Exchange
from bot.router import normalised
from bot.turns import Message
from storage.roles import Role
from sync.model import IntegrationView

ON = ("auto-rotate on", "auto rotate on", "ligar rotação automática", "ativar rotação automática")
OFF = ("auto-rotate off", "auto rotate off", "desligar rotação automática", "desativar rotação automática")


async def open_auto_rotate(exchange: Exchange) -> None:
    what = exchange.turn.incoming.what
    said = normalised(what.text) if isinstance(what, Message) else ""
    if said in map(normalised, ON):
        await choose(exchange, "auto_rotate.on", turn_on)
    elif said in map(normalised, OFF):
        await choose(exchange, "auto_rotate.off", turn_off)
    else:
        await choose(exchange, "auto_rotate.show", show_for)


async def show_for(exchange: Exchange, view: IntegrationView) -> None:
    possible = await exchange.desk.credentials.may_rotate(exchange.tenant, view.id)
    await exchange.show(cards.automatic(exchange.texts, view, possible, exchange.desk.links))


async def turn_on(exchange: Exchange, view: IntegrationView) -> None:
    """Only where the application lets the bot; the card says what is missing."""
    if await exchange.desk.credentials.may_rotate(exchange.tenant, view.id):
        await exchange.desk.credentials.set_auto_rotate(exchange.tenant, view.id, True, exchange.actor)
    await _show_again(exchange, view)


async def turn_off(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.desk.credentials.set_auto_rotate(exchange.tenant, view.id, False, exchange.actor)
    await _show_again(exchange, view)


async def _show_again(exchange: Exchange, view: IntegrationView) -> None:
    exchange.data = {"integration": view.id}
    await show(exchange)


async def show(exchange: Exchange) -> None:
    await show_for(exchange, await exchange.integration())


async def on(exchange: Exchange) -> None:
    await turn_on(exchange, await exchange.integration())


async def off(exchange: Exchange) -> None:
    await turn_off(exchange, await exchange.integration())


COMMAND = Command(
    key="auto_rotate",
    titles={"en": "auto-rotate", "pt": "rotação automática"},
    descriptions={
        "en": "Let the bot replace the secret in time",
        "pt": "Deixar o bot substituir o segredo a tempo",
    },
    aliases=("auto rotate", *ON, *OFF),
    listed=False,
    open=open_auto_rotate,
    least=Role.ADMINISTRATOR,
    actions={"auto_rotate.show": show, "auto_rotate.on": on, "auto_rotate.off": off},
)
