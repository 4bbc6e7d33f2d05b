"""The line that moves while a new secret or registration is waited for."""

from itertools import count

from bot.cards.setup import steps as cards
from bot.chat.context import TurnContext
from sync.credentials.new_secrets import Waiting


def waiting_line(context: TurnContext, step: int = 0) -> Waiting:
    """Shows, at each attempt, that Microsoft does not know it yet; ``step`` is setup's."""
    attempts = count(1)

    async def waiting() -> None:
        await context.show(cards.checking(context.texts, step, "teams", next(attempts)))

    return waiting
