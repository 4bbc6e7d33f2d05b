"""``integrations``: the list with health; each integration's card offers everything that can be done with it."""

from bot.cards.integrations import listing as cards
from bot.chat.context import Command, TurnContext
from sync.domain.model import IntegrationView, ServiceHealth, UnknownIntegration
from sync.domain.roles import Role


async def open_integrations(context: TurnContext) -> None:
    """Show a page of integrations, each with its services' health."""
    views = await context.operations.integrations.list(context.tenant)
    if not views:
        return await context.show(cards.none_yet(context.texts))
    page = min(context.number("page"), (len(views) - 1) // cards.SHOWN)
    shown = views[page * cards.SHOWN : (page + 1) * cards.SHOWN]
    service_health = {view.id: await _service_health(context, view) for view in shown}
    return await context.show(cards.listed(context.texts, shown, service_health, len(views), page))


async def open_one(context: TurnContext) -> None:
    view = await context.integration()
    status = await context.operations.overview.status(context.tenant, view.id)
    await context.show(cards.one(context.texts, status, context.now))


async def _service_health(context: TurnContext, view: IntegrationView) -> tuple[ServiceHealth, ...]:
    try:
        return (await context.operations.overview.status(context.tenant, view.id)).service_health
    except UnknownIntegration:
        return ()


COMMAND = Command(
    key="integrations",
    titles={"en": "integrations", "pt": "integrações"},
    descriptions={"en": "List the integrations", "pt": "Listar as integrações"},
    aliases=("list", "list integrations", "listar integrações"),
    open=open_integrations,
    least=Role.VIEWER,
    actions={"integrations.page": open_integrations, "integrations.open": open_one},
)
