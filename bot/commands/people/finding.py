"""Whom typed words mean: one person, a choice among several, or who comes nearest."""

from collections.abc import Awaitable, Callable

from bot.activity import Message
from bot.cards.people import listing as cards
from bot.chat.context import Command, TurnContext
from bot.chat.router import normalised
from sync.domain.people import PersonLine

Answer = Callable[[TurnContext, PersonLine], Awaitable[None]]


def typed_after(context: TurnContext, command: Command) -> str:
    """The words after the command's name, empty when only the name was typed."""
    event = context.turn.incoming.event
    text = event.text.strip() if isinstance(event, Message) else ""
    names = {normalised(name) for name in (*command.titles.values(), *command.aliases)}
    return "" if normalised(text) in names else text.partition(" ")[2].strip()


async def find(context: TurnContext, command: Command, typed: str, verb: str, answer: Answer) -> None:
    """Go on with the person whom ``typed`` means; of several, ask (``verb`` goes on)."""
    found = await context.operations.roster.find(context.tenant, typed)
    if len(found.people) == 1:
        await answer(context, found.people[0])
    else:
        title = command.titles[context.texts.language]
        await context.show(cards.which(context.texts, found, typed, verb, title))
