"""``integrations``: the list with health; each integration's card offers everything that can be done with it."""

from bot.cards.integrations import listing as cards
from bot.chat.context import Command, TurnContext
from bot.commands.choice import candidates
from sync.domain.model import IntegrationView, ServiceHealth, UnknownIntegration
from sync.domain.roles import Role


async def open_integrations(context: TurnContext) -> None:
    """Show a page of integrations, each with its services' health; the one that is named, with all its actions."""
    views = await candidates(context)
    if not views:
        return await context.show(cards.none_yet(context.texts))
    if context.named and len(views) == 1:
        return await _show_one(context, views[0])
    page = min(context.number("page"), (len(views) - 1) // cards.SHOWN)
    shown = views[page * cards.SHOWN : (page + 1) * cards.SHOWN]
    service_health = {view.id: await _service_health(context, view) for view in shown}
    return await context.show(cards.listed(context.texts, shown, service_health, len(views), page))


async def open_one(context: TurnContext) -> None:
    await _show_one(context, await context.integration())


async def _show_one(context: TurnContext, view: IntegrationView) -> None:
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
    aliases=("integration", "list", "list integrations", "integração", "listar integrações"),
    open=open_integrations,
    least=Role.VIEWER,
    actions={"integrations.page": open_integrations, "integrations.open": open_one},
)
