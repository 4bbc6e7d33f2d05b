"""``stop showing my calls`` and ``show my calls``: what people decide about themselves, and about nobody else."""

from bot.cards.people import opt_out as cards
from bot.chat.context import Command, TurnContext
from bot.commands.people.own import explained
from sync.domain.people import OptOutForbidden
from sync.domain.roles import Role


async def ask(context: TurnContext) -> None:
    await context.show(cards.choice(context.texts, await explained(context)))


async def stop(context: TurnContext) -> None:
    await _choose(context, opted_out=True)


async def show(context: TurnContext) -> None:
    await _choose(context, opted_out=False)


async def _choose(context: TurnContext, *, opted_out: bool) -> None:
    """Only the object id that the channel vouches for says whose calls these are."""
    user_id = context.turn.incoming.sender.object_id
    is_forbidden = False
    try:
        if user_id:
            await context.operations.opt_out.choose(context.tenant, user_id, context.actor, opted_out=opted_out)
    except OptOutForbidden:
        is_forbidden = True
    found = await explained(context)
    await context.show(cards.choice(context.texts, found, is_done=True, is_forbidden=is_forbidden))


COMMAND = Command(
    key="opt_out",
    titles={"en": "stop showing my calls", "pt": "não mostrar as minhas chamadas"},
    descriptions={
        "en": "Stop showing your calls in Teams, or show them again; you confirm first",
        "pt": "O Teams deixa de mostrar as suas chamadas, ou volta a mostrá-las; só muda depois de confirmar",
    },
    aliases=(
        *("show my calls", "hide my calls", "opt out", "opt in", "show my calls again"),
        *("mostrar as minhas chamadas", "esconder as minhas chamadas", "voltar a mostrar as minhas chamadas"),
    ),
    open=ask,
    least=Role.EVERYONE,
    listed=False,
    actions={"opt_out.stop": stop, "opt_out.show": show},
)
