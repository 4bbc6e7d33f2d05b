"""``test connection``: runs every step now and shows its duration and, if it failed, how to fix it."""

from bot.cards.health import connection_test as cards
from bot.cards.health.freshness import doubt
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.errors import Fault
from sync.domain.model import IntegrationView, Status
from sync.domain.roles import Role


async def open_test(context: TurnContext) -> None:
    await choose(context, "test.run", run_for)


async def run_for(context: TurnContext, view: IntegrationView) -> None:
    await context.show(cards.testing(context.texts, view))
    probes = await context.operations.connection_test.test(context.tenant, view.id, context.actor)
    form_errors = {
        place: context.form_error(probe.error, view.client_id) for place, probe in enumerate(probes) if probe.error
    }
    status = await context.operations.overview.status(context.tenant, view.id)
    unproven = _refusal(context, status) or doubt(context.texts, status)
    await context.show(cards.tested(context.texts, view, probes, form_errors, unproven))


def _refusal(context: TurnContext, status: Status) -> str:
    """That Graph refuses everyone, which no step shows: none sets a presence. Empty if it does not."""
    for each in status.service_health:
        if each.error and each.error.fault is Fault.GRAPH_EVERYONE_REFUSED:
            said = context.form_error(each.error)
            return f"{said.sentence} {said.remedy}"
    return ""


async def run(context: TurnContext) -> None:
    await run_for(context, await context.integration())


COMMAND = Command(
    key="test",
    titles={"en": "test connection", "pt": "testar ligação"},
    descriptions={
        "en": "Try CloudLink, Entra ID and Graph now",
        "pt": "Testar agora o CloudLink, o Entra ID e o Graph",
    },
    aliases=("test", "check connection", "testar", "verificar ligação"),
    open=open_test,
    least=Role.ADMINISTRATOR,
    actions={"test.run": run},
)
