"""``my presence``: what Teams shows for the person who asks, and why; of nobody else."""

from bot.cards.people import why as cards
from bot.chat.context import Command, TurnContext
from sync.domain.people import Explanation
from sync.domain.roles import Role

MAX_SHOWN = 3
"""A person may be in several integrations of their tenant."""


async def explained(context: TurnContext) -> list[Explanation]:
    """Only the object id that the channel vouches for says who asks: nothing typed, and no button's data."""
    user_id = context.turn.incoming.sender.object_id
    mine = await context.operations.roster.of_user(context.tenant, user_id) if user_id else []
    return [
        await context.operations.roster.explain(context.tenant, line.integration_id, line.id)
        for line in mine[:MAX_SHOWN]
    ]


async def show(context: TurnContext) -> None:
    found = await explained(context)
    await context.show(cards.own_card(context.texts, found, context.now, await context.zone()))


COMMAND = Command(
    key="me",
    titles={"en": "my presence", "pt": "a minha presença"},
    descriptions={
        "en": "What Teams shows for you, and why",
        "pt": "O que o Teams mostra de si, e porquê",
    },
    aliases=("why me", "my status", "minha presença", "porquê eu", "o meu estado"),
    open=show,
    least=Role.EVERYONE,
    listed=False,
    actions={"me.show": show},
)
