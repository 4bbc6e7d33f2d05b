"""Which integration a command is about: the only one, or a choice among several."""

from collections.abc import Awaitable, Callable

from bot.cards.integrations import listing as cards
from bot.chat.context import TurnContext
from sync.domain.model import IntegrationView


async def choose(
    context: TurnContext, verb: str, answer: Callable[[TurnContext, IntegrationView], Awaitable[None]], **data: str
) -> None:
    """Continue with the tenant's only integration, or the only one named; of several, ask.

    Also where the name beside the command is unknown. ``verb`` continues with the chosen one and ``data``. Without
    an integration offer setup.
    """
    views = await candidates(context)
    if not views:
        await context.show(cards.none_yet(context.texts))
    elif len(views) == 1 and not context.unknown_name:
        await answer(context, views[0])
    else:
        purpose, name = _purpose(context, verb), context.unknown_name
        await context.show(cards.pick(context.texts, views, verb, purpose, data, name))


async def candidates(context: TurnContext) -> list[IntegrationView]:
    """The integrations of the tenant, or those of them that were named."""
    views = await context.operations.integrations.list(context.tenant)
    return [view for view in views if view.id in context.named] or views


def _purpose(context: TurnContext, verb: str) -> str:
    """What the integration is wanted for: what is typed for the command of ``verb``."""
    wanted = next(command for command in context.services.commands if command.has(verb))
    return wanted.titles[context.texts.language]
