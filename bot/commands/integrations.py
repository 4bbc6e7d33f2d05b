"""``integrations``: what is connected and how it does; each one's card has everything that can be done with it."""

from bot.cards import integrations as cards
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.model import IntegrationView, Light, UnknownIntegration


async def open_integrations(exchange: Exchange) -> None:
    """A page of them, each with its lights."""
    views = await exchange.desk.integrations.list(exchange.tenant)
    if not views:
        return await exchange.show(cards.none_yet(exchange.texts))
    page = _page(exchange, len(views))
    shown = views[page * cards.SHOWN : (page + 1) * cards.SHOWN]
    lights = {view.id: await _lights(exchange, view) for view in shown}
    return await exchange.show(cards.listed(exchange.texts, shown, lights, len(views), page))


async def open_one(exchange: Exchange) -> None:
    view = await exchange.integration()
    status = await exchange.desk.integrations.status(exchange.tenant, view.id)
    await exchange.show(cards.one(exchange.texts, status, exchange.now))


async def _lights(exchange: Exchange, view: IntegrationView) -> tuple[Light, ...]:
    try:
        return (await exchange.desk.integrations.status(exchange.tenant, view.id)).lights
    except UnknownIntegration:
        return ()


def _page(exchange: Exchange, total: int) -> int:
    wanted = exchange.data.get("page", "")
    last = (total - 1) // cards.SHOWN
    return min(int(wanted), last) if wanted.isdecimal() and len(wanted) < 7 else 0


COMMAND = Command(
    key="integrations",
    titles={"en": "integrations", "pt": "integrações"},
    descriptions={"en": "List the integrations", "pt": "Listar as integrações"},
    aliases=("list", "list integrations", "listar integrações"),
    open=open_integrations,
    least=Role.VIEWER,
    actions={"integrations.page": open_integrations, "integrations.open": open_one},
)
