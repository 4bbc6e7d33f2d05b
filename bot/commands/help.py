"""``help`` and greetings: the commands the user may type, in groups, what fits them first."""

from collections.abc import Sequence

from bot.cards import help as cards
from bot.cards.help import HelpGroup, HelpLine
from bot.chat.context import Command, TurnContext
from sync.domain.model import IntegrationView
from sync.domain.roles import GRANTABLE, Role

GROUPS = {
    "watch": ("status", "report", "integrations", "test", "drill", "history"),
    "people": ("people", "why", "person", "me", "opt_out", "export_people"),
    "rules": ("mapping", "schedule", "messages", "scope", "import_people"),
    "change": ("setup", "enable", "disable", "edit", "update", "remove"),
    "secrets": ("rotate", "auto_rotate", "certificate", "monitors"),
    "administrators": ("alerts", "admins", "export", "language"),
}
"""The keys of commands by group, at most six each."""


async def open_help(context: TurnContext) -> None:
    """Show the commands that the user's role allows; before there is an integration, setting one up comes first."""
    views = await context.operations.integrations.list(context.tenant)
    allowed = {one.key: line_of(context, one) for one in context.services.commands if _is_shown(context, one)}
    wanted = _wanted(views)
    groups: list[HelpGroup] = [
        (group, [allowed[key] for key in keys if key in allowed]) for group, keys in GROUPS.items()
    ]
    if wanted in GROUPS["change"] and wanted in allowed:
        groups.sort(key=lambda group: group[0] != "change")
    shown = [(group, lines) for group, lines in groups if lines]
    await context.show(cards.help_card(context.texts, shown, allowed.get(wanted) or allowed.get("status")))


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
    actions={"help.cancel": cancel},
)
