"""``test connection``: every step tried now, with its time and, where it failed, what mends it."""

from bot.cards import status as cards
from bot.commands.choice import choose
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.model import IntegrationView


async def open_test(exchange: Exchange) -> None:
    await choose(exchange, "test.run", run_for)


async def run_for(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.show(cards.testing(exchange.texts, view))
    probes = await exchange.desk.integrations.test_connection(exchange.tenant, view.id)
    complaints = {
        place: exchange.complaint(probe.trouble, view.tenant_id, view.client_id)
        for place, probe in enumerate(probes)
        if probe.trouble
    }
    await exchange.show(cards.tested(exchange.texts, view, probes, complaints))


async def run(exchange: Exchange) -> None:
    await run_for(exchange, await exchange.integration())


COMMAND = Command(
    key="test",
    titles={"en": "test connection", "pt": "testar ligação"},
    descriptions={
        "en": "Try CloudLink, Entra ID and Graph now",
        "pt": "Experimentar agora o CloudLink, o Entra ID e o Graph",
    },
    aliases=("test", "check connection", "testar", "verificar ligação"),
    open=open_test,
    least=Role.ADMINISTRATOR,
    actions={"test.run": run},
)
