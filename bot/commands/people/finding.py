"""Whom typed words mean: one person, a choice among several, or who comes nearest."""

import re
from collections.abc import Awaitable, Callable
from functools import partial

from bot.activity import Message
from bot.cards.people import listing as cards
from bot.chat.context import Command, TurnContext
from bot.chat.router import normalised
from bot.chat.vocabulary import ABOUT, BESIDE_A_NAME, FILLERS
from bot.commands.naming import WORD, named_in, names_of
from sync.domain.people import Found, PersonLine

NO_NAMES = FILLERS | BESIDE_A_NAME.union(*(ABOUT[key] for key in ("people", "why", "status", "me", "opt_out")))
OWNED = re.compile(r"['’]s$")

Answer = Callable[[TurnContext, PersonLine], Awaitable[None]]


def typed_after(context: TurnContext, command: Command) -> str:
    """The words after the command's name, empty when only the name was typed."""
    event = context.event
    text = event.text.strip() if isinstance(event, Message) else ""
    names = {normalised(name) for name in (*command.titles.values(), *command.aliases)}
    return "" if normalised(text) in names else text.partition(" ")[2].strip()


def name_in(typed: str, no_names: frozenset[str] = NO_NAMES) -> str:
    """The words that may be of a name, without those of a sentence around it, as in "is Ana not shown"."""
    words = [OWNED.sub("", word) for word in typed.split()]
    return " ".join(word for word in words if not no_names.issuperset(WORD.findall(normalised(word))))


async def search(context: TurnContext, typed: str, *, is_guess: bool = False) -> tuple[str, Found]:
    """Whom ``typed`` means, and by which of its words they were found; ``is_guess`` as in ``Roster.find``.

    Words of a sentence around the name are left out where nobody is called so, and then the name of an integration,
    of which the person is.
    """
    tenant, find_by = context.tenant, partial(context.operations.roster.find, is_guess=is_guess)
    found = await find_by(tenant, typed, context.named)
    shorter = name_in(typed)
    if not found.people and shorter not in ("", typed):
        typed, found = shorter, await find_by(tenant, shorter, context.named)
    named = None if found.people else named_in(typed, await names_of(context), bool)
    if named and (of_named := await find_by(tenant, named.rest, named.ids)).people:
        typed, found = named.rest, of_named
    return typed, found


async def find(context: TurnContext, command: Command, typed: str, verb: str, answer: Answer) -> None:
    """Go on with the person whom ``typed`` means; of several, ask (``verb`` goes on)."""
    typed, found = await search(context, typed)
    if len(found.people) == 1:
        await answer(context, found.people[0])
    else:
        title = command.titles[context.texts.language]
        await context.show(cards.which(context.texts, found, typed, verb, title))
