"""Which integration a command is about: the only one, or a choice among several."""

from collections.abc import Awaitable, Callable

from bot.cards import integrations as cards
from bot.chat.context import TurnContext
from sync.domain.model import IntegrationView


async def choose(
    context: TurnContext, verb: str, answer: Callable[[TurnContext, IntegrationView], Awaitable[None]]
) -> None:
    """Continue with the tenant's only integration; of several, ask (``verb`` continues); else offer setup."""
    views = await context.operations.integrations.list(context.tenant)
    if not views:
        await context.show(cards.none_yet(context.texts))
    elif len(views) == 1:
        await answer(context, views[0])
    else:
        await context.show(cards.pick(context.texts, views, verb))
