"""``disable presence``: asks once, then stops and clears what was shown."""

from bot.cards import integrations as cards
from bot.commands.choice import choose
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.model import IntegrationView


async def open_disable(exchange: Exchange) -> None:
    await choose(exchange, "disable.ask", ask_for)


async def ask_for(exchange: Exchange, view: IntegrationView) -> None:
    card = cards.disable_asked if view.enabled else cards.not_enabled
    await exchange.show(card(exchange.texts, view))


async def ask(exchange: Exchange) -> None:
    await ask_for(exchange, await exchange.integration())


async def now(exchange: Exchange) -> None:
    view = await exchange.integration()
    if not view.enabled:
        return await exchange.show(cards.not_enabled(exchange.texts, view))
    cleared = await exchange.desk.integrations.disable(exchange.tenant, view.id)
    return await exchange.show(cards.disabled(exchange.texts, view, cleared))


async def keep(exchange: Exchange) -> None:
    await exchange.show(cards.kept(exchange.texts, await exchange.integration()))


COMMAND = Command(
    key="disable",
    titles={"en": "disable presence", "pt": "desativar presença"},
    descriptions={"en": "Stop, and clear what was shown", "pt": "Parar e limpar o que foi mostrado"},
    aliases=("disable", "turn off presence", "desabilitar presença", "desligar presença"),
    open=open_disable,
    least=Role.ADMINISTRATOR,
    actions={"disable.ask": ask, "disable.now": now, "disable.keep": keep},
)
