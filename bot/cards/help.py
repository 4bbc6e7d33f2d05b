"""Help, and the answers to words that are no command."""

from collections.abc import Sequence
from dataclasses import dataclass

from microsoft_teams.cards.core import CardElement, Container, ExecuteAction, TextBlock

from bot.activity import Card
from bot.cards.parts import button, card, header, text
from bot.languages import Texts


@dataclass(frozen=True, slots=True)
class HelpLine:
    """A command: its key, and what is typed for it and its description in the reader's language."""

    key: str
    title: str
    description: str


HelpGroup = tuple[str, Sequence[HelpLine]]
"""The key of a group's name, ``help.group.<key>``, and its commands."""


def help_card(texts: Texts, groups: Sequence[HelpGroup], *, more: bool) -> Card:
    """The commands in groups, each line a button; the first of all is the main button too."""
    first = groups[0][1][0]
    actions = [button(first.title.capitalize(), f"command.{first.key}", style="positive")]
    if more:
        actions.append(button(texts("button.more_commands"), "help.more"))
    return card(texts, texts("help.title"), _in_groups(texts, texts("help.title"), groups), actions)


def more_card(texts: Texts, groups: Sequence[HelpGroup]) -> Card:
    """The commands that the card of help does not show."""
    title = texts("button.more_commands")
    return card(texts, title, _in_groups(texts, title, groups), [_help(texts)])


def _in_groups(texts: Texts, title: str, groups: Sequence[HelpGroup]) -> list[CardElement]:
    body: list[CardElement] = [header("💡", title, texts("help.subtitle"))]
    for key, lines in groups:
        body.append(text(texts(f"help.group.{key}"), weight="Bolder", spacing="Medium"))
        body.extend(_line(line) for line in lines)
    return body


def _line(line: HelpLine) -> CardElement:
    """Smaller than a row, for there are many of them."""
    words = [
        TextBlock(text=line.title, color="Accent", wrap=True),
        TextBlock(text=line.description, size="Small", is_subtle=True, wrap=True, spacing="None"),
    ]
    return Container(items=list(words), spacing="Small", select_action=button(line.title, f"command.{line.key}"))


def unknown(texts: Texts, nearest: Sequence[HelpLine]) -> Card:
    """For unknown words: the most likely commands as buttons, and the help."""
    body: list[CardElement] = [
        header("🤔", texts("unknown.title")),
        text(texts("unknown.nearest" if nearest else "unknown.nothing_near")),
        *(_line(line) for line in nearest),
    ]
    return card(texts, texts("unknown.title"), body, [_help(texts)])


REMARKS = {
    "thanks": ("👍", ("status",)),
    "noted": ("👍", ("status",)),
    "who": ("📞", ("status",)),
    "leave": ("↩️", ("status",)),
    "undo": ("↩️", ("history", "edit")),
    "answer": ("☝️", ("status",)),
}
"""Each remark's symbol, and the commands that are offered with its answer."""


def remark_card(texts: Texts, remark: str, offered: Sequence[HelpLine]) -> Card:
    """The answer to a remark such as "thanks", with what can be done next."""
    title, (symbol, _) = texts(f"remark.{remark}"), REMARKS[remark]
    said = texts(f"remark.{remark}.what")
    actions = [button(line.title.capitalize(), f"command.{line.key}") for line in offered]
    return card(texts, title, [header(symbol, title), text(said)], [*actions, _help(texts)])


def _help(texts: Texts) -> ExecuteAction:
    return button(texts("button.help"), "command.help")


def cancelled(texts: Texts) -> Card:
    """A question was answered with *Cancel*."""
    title = texts("kept.title")
    body = [header("👍", title)]
    return card(texts, title, body, [button(texts("button.integrations"), "command.integrations"), _help(texts)])
