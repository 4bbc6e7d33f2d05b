"""``status``: an integration's health, figures and expiry."""

from bot.cards import status as cards
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_status(context: TurnContext) -> None:
    await choose(context, "status.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    status = await context.operations.overview.status(context.tenant, view.id)
    form_errors = {
        health.service: context.form_error(health.error, view.tenant_id, view.client_id)
        for health in status.service_health
        if health.error
    }
    await context.show(cards.status_card(context.texts, status, form_errors, context.now))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


COMMAND = Command(
    key="status",
    titles={"en": "status", "pt": "estado"},
    descriptions={"en": "How the connection is doing", "pt": "Como está a ligação"},
    aliases=("health", "how is it going", "como está", "ponto de situação"),
    open=open_status,
    least=Role.VIEWER,
    actions={"status.show": show},
)
