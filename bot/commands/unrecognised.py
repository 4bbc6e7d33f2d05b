"""Words that are no command, but name a person of the tenant, or an integration that does not exist."""

from bot.activity import Message
from bot.cards.people import listing as cards
from bot.chat.authority import acting
from bot.chat.context import Command, Proceed, TurnContext
from bot.chat.router import Router, normalised
from bot.chat.vocabulary import ABOUT
from bot.commands.naming import OF_AN_INTEGRATION, WORD
from bot.commands.people.finding import NO_NAMES, name_in, search
from bot.commands.people.listing import COMMAND as PEOPLE
from bot.commands.people.listing import open_line

LONGEST = 200
MOST = 6
"""In a longer text, or among more words, no name is looked for."""

SPOKEN = frozenset[str]().union(*ABOUT.values())
"""The words of which a command is spoken."""


class Unrecognised:
    """Answers words that name a person or an unknown integration; all others are passed on."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        event = context.event
        text = event.text if isinstance(event, Message) and not event.file and len(event.text) <= LONGEST else ""
        if text and not self._router.command(text) and not self._router.remark(text):
            name, command = self._named(text)
            if name and (await _show_people(context, name) or await _show_integrations(context, name, command)):
                return
        await proceed()

    def _named(self, text: str) -> tuple[str, Command | None]:
        """The words that may be a name, and the command beside them; no words where another command is likelier."""
        beside = self._router.beside_a_name(text)
        command = beside if beside and beside.key in OF_AN_INTEGRATION else None
        name, rest = name_in(text), name_in(text, NO_NAMES | SPOKEN | _titles(command))
        is_name = len(rest.split()) <= MOST and (command is not None or rest == name)
        return rest if is_name else "", command


def _titles(command: Command | None) -> frozenset[str]:
    """The words by which the command is named."""
    names = (*command.titles.values(), *command.aliases) if command else ()
    return frozenset(word for name in names for word in WORD.findall(normalised(name)))


async def _show_people(context: TurnContext, name: str) -> bool:
    """The card of the one person who is called so, or a choice among a few."""
    if not context.role.covers(PEOPLE.least):
        return False
    typed, found = await search(context, name, is_guess=True)
    with acting(context, PEOPLE.least):
        if len(found.people) == 1:
            await open_line(context, found.people[0])
        elif found.people:
            title = PEOPLE.titles[context.texts.language]
            await context.show(cards.which(context.texts, found, typed, "people.open", title))
    return bool(found.people)


async def _show_integrations(context: TurnContext, name: str, command: Command | None) -> bool:
    if command is None or not context.role.covers(command.least):
        return False
    context.unknown_name = name
    with acting(context, command.least):
        await command.open(context)
    return True
