"""Which integration a command means: the only one, or one of several that is picked."""

from collections.abc import Awaitable, Callable

from bot.cards import integrations as cards
from bot.chat.context import TurnContext
from sync.domain.model import IntegrationView


async def choose(
    context: TurnContext, verb: str, answer: Callable[[TurnContext, IntegrationView], Awaitable[None]]
) -> None:
    """Go on with the tenant's only integration; of several, ask, and go on by ``verb``; of none, offer setup."""
    views = await context.operations.integrations.list(context.tenant)
    if not views:
        await context.show(cards.none_yet(context.texts))
    elif len(views) == 1:
        await answer(context, views[0])
    else:
        await context.show(cards.pick(context.texts, views, verb))
