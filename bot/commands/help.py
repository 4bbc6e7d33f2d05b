"""``help`` and greetings: the commands the user may type, in groups, what fits them first."""

from collections.abc import Sequence

from bot.cards import help as cards
from bot.cards.help import HelpGroup, HelpLine
from bot.chat.context import Command, TurnContext
from sync.domain.model import IntegrationView
from sync.domain.roles import GRANTABLE, Role

GROUPS = {
    "watch": ("status", "report", "integrations", "test", "history", "drill", "export"),
    "people": (
        *("people", "why", "person", "scope", "mapping", "schedule", "messages"),
        *("me", "opt_out", "import_people", "export_people"),
    ),
    "change": ("setup", "enable", "disable", "edit", "update", "remove"),
    "settings": ("rotate", "auto_rotate", "certificate", "alerts", "admins", "language", "monitors"),
}
"""The keys of commands by group, those used most first."""

LINES = 6
"""As many commands of each group as help shows; the others are behind *More commands*."""


async def open_help(context: TurnContext) -> None:
    """Show the commands that the user's role allows, with what fits best now first."""
    views = await context.operations.integrations.list(context.tenant)
    groups = _fitting(_allowed(context), _wanted(views))
    shown = [(group, lines[:LINES]) for group, lines in groups]
    await context.show(cards.help_card(context.texts, shown, more=shown != groups))


async def show_more(context: TurnContext) -> None:
    """Show the commands for which help has no room."""
    rest = [(group, lines[LINES:]) for group, lines in _allowed(context) if lines[LINES:]]
    await context.show(cards.more_card(context.texts, rest))


def _allowed(context: TurnContext) -> list[HelpGroup]:
    """The commands that the user's role allows, by group."""
    allowed = {one.key: line_of(context, one) for one in context.services.commands if _is_shown(context, one)}
    groups = ((group, [allowed[key] for key in keys if key in allowed]) for group, keys in GROUPS.items())
    return [(group, lines) for group, lines in groups if lines]


def _fitting(groups: Sequence[HelpGroup], wanted: str) -> list[HelpGroup]:
    """With the wanted command first of all, if it is allowed."""
    inside = [(group, sorted(lines, key=lambda line: line.key != wanted)) for group, lines in groups]
    return sorted(inside, key=lambda group: group[1][0].key != wanted)


def _is_shown(context: TurnContext, command: Command) -> bool:
    return context.role.covers(command.least) and (command.least in GRANTABLE or command.key in GROUPS["people"])


def _wanted(views: Sequence[IntegrationView]) -> str:
    """What most people want to do next: set up, enable, or read the status."""
    if not views:
        return "setup"
    return "status" if all(view.enabled for view in views) else "enable"


def line_of(context: TurnContext, command: Command) -> HelpLine:
    """The command in the user's language."""
    language = context.texts.language
    return HelpLine(command.key, command.titles[language], command.descriptions[language])


async def cancel(context: TurnContext) -> None:
    """The answer to *Cancel* where a command asked something."""
    await context.show(cards.cancelled(context.texts))


COMMAND = Command(
    key="help",
    titles={"en": "help", "pt": "ajuda"},
    descriptions={"en": "What you can do and type here", "pt": "O que pode fazer e escrever aqui"},
    aliases=(
        *("hi", "hello", "hey", "hi there", "hello there", "good morning", "good afternoon", "good evening", "?"),
        *("olá", "oi", "viva", "boas", "bom dia", "boa tarde", "boa noite", "start", "menu"),
    ),
    open=open_help,
    least=Role.VIEWER,
    actions={"help.cancel": cancel, "help.more": show_more},
)
