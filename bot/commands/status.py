"""``status``: how an integration is doing, at a glance."""

from bot.cards import status as cards
from bot.commands.choice import choose
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.model import IntegrationView


async def open_status(exchange: Exchange) -> None:
    await choose(exchange, "status.show", show_for)


async def show_for(exchange: Exchange, view: IntegrationView) -> None:
    status = await exchange.desk.integrations.status(exchange.tenant, view.id)
    complaints = {
        light.service: exchange.complaint(light.trouble, view.tenant_id, view.client_id)
        for light in status.lights
        if light.trouble
    }
    await exchange.show(cards.status_card(exchange.texts, status, complaints, exchange.now))


async def show(exchange: Exchange) -> None:
    await show_for(exchange, await exchange.integration())


COMMAND = Command(
    key="status",
    titles={"en": "status", "pt": "estado"},
    descriptions={"en": "How the connection is doing", "pt": "Como está a ligação"},
    aliases=("health", "how is it going", "como está", "ponto de situação"),
    open=open_status,
    least=Role.VIEWER,
    actions={"status.show": show},
)
