"""``disable presence``: asks for confirmation, then stops and clears the presence that was set."""

from bot.cards.integrations import listing as cards
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_disable(context: TurnContext) -> None:
    await choose(context, "disable.ask", ask_for)


async def ask_for(context: TurnContext, view: IntegrationView) -> None:
    card = cards.disable_asked if view.enabled else cards.not_enabled
    await context.show(card(context.texts, view))


async def ask(context: TurnContext) -> None:
    await ask_for(context, await context.integration())


async def now(context: TurnContext) -> None:
    view = await context.integration()
    if not view.enabled:
        return await context.show(cards.not_enabled(context.texts, view))
    cleared = await context.operations.integrations.disable(context.tenant, view.id, context.actor)
    status = await context.operations.overview.status(context.tenant, view.id)
    return await context.show(cards.disabled(context.texts, view, cleared, status.service_health))


async def keep(context: TurnContext) -> None:
    await context.show(cards.kept(context.texts, await context.integration()))


COMMAND = Command(
    key="disable",
    titles={"en": "disable presence", "pt": "desativar presença"},
    descriptions={"en": "Stop, and clear what was shown", "pt": "Parar e retirar o que foi mostrado"},
    aliases=("disable", "turn off presence", "desabilitar presença", "desligar presença"),
    open=open_disable,
    least=Role.ADMINISTRATOR,
    actions={"disable.ask": ask, "disable.now": now, "disable.keep": keep},
)
