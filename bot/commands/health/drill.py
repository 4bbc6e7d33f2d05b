"""``drill``: a failure rehearsed on the live integration. Nothing is touched; the history notes it."""

from bot.cards.health import drill as cards
from bot.cards.health.status import StatusView
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.drills import Rehearsal
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_drill(context: TurnContext) -> None:
    await choose(context, "drill.show", _show_menu)


async def show(context: TurnContext) -> None:
    await _show_menu(context, await context.integration())


async def _show_menu(context: TurnContext, view: IntegrationView) -> None:
    await context.show(cards.menu(context.texts, view))


async def begin(context: TurnContext) -> None:
    """Record the drill, and show whom it would concern."""
    view = await context.integration()
    await context.operations.drills.begin(context.tenant, view.id, _rehearsal(context), context.actor)
    await step(context)


async def step(context: TurnContext) -> None:
    """A card of the drill."""
    view = await context.integration()
    drill = await context.operations.drills.rehearse(context.tenant, view.id, _rehearsal(context))
    status = StatusView(drill.status, context.services.links, context.now, await context.zone())
    shown = cards.DrillView(drill, status)
    wanted = context.data.get("step", "")
    if wanted in cards.STEPS:
        await context.show(cards.step(context.texts, shown, wanted))
    else:
        await context.show(cards.overview(context.texts, shown))


def _rehearsal(context: TurnContext) -> Rehearsal:
    wanted = context.data.get("rehearsal", "")
    return Rehearsal(wanted) if wanted in set(Rehearsal) else Rehearsal.SECRET


COMMAND = Command(
    key="drill",
    titles={"en": "drill", "pt": "simulacro"},
    descriptions={
        "en": "Rehearse a failure without changing anything",
        "pt": "Simular uma falha, sem alterar nada",
    },
    aliases=("failure drill", "rehearse", "rehearsal", "ensaio", "ensaiar uma falha"),
    open=open_drill,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={"drill.show": show, "drill.begin": begin, "drill.step": step},
)
