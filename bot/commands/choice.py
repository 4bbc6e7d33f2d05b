"""Which integration a command is about: the only one, or a choice among several."""

from collections.abc import Awaitable, Callable

from bot.cards.integrations import listing as cards
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
        await context.show(cards.pick(context.texts, views, verb, _purpose(context, verb)))


def _purpose(context: TurnContext, verb: str) -> str:
    """What the integration is wanted for: what is typed for the command of ``verb``."""
    wanted = next(command for command in context.services.commands if command.has(verb))
    return wanted.titles[context.texts.language]
