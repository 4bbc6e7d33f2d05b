"""Which integration a command means: the only one, or one of several that is picked."""

from collections.abc import Awaitable, Callable

from bot.cards import integrations as cards
from bot.exchange import Exchange
from sync.model import IntegrationView


async def choose(
    exchange: Exchange, verb: str, answer: Callable[[Exchange, IntegrationView], Awaitable[None]]
) -> None:
    """Go on with the tenant's only integration; of several, ask, and go on by ``verb``; of none, offer setup."""
    views = await exchange.desk.integrations.list(exchange.tenant)
    if not views:
        await exchange.show(cards.none_yet(exchange.texts))
    elif len(views) == 1:
        await answer(exchange, views[0])
    else:
        await exchange.show(cards.pick(exchange.texts, views, verb))
