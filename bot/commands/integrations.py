"""``integrations``: what is connected."""

from bot.cards import integrations as cards
from bot.exchange import Command, Exchange


async def open_integrations(exchange: Exchange) -> None:
    views = await exchange.desk.integrations.list(exchange.tenant)
    await exchange.show(cards.listed(exchange.texts, views) if views else cards.none_yet(exchange.texts))


COMMAND = Command(
    key="integrations",
    titles={"en": "integrations", "pt": "integrações"},
    descriptions={"en": "List the integrations", "pt": "Listar as integrações"},
    aliases=("list", "list integrations", "listar integrações"),
    open=open_integrations,
)
