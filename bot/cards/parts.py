"""The elements of all cards. Text from outside goes through ``plain``, which does not interpret Markdown."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Literal, cast

from microsoft_teams.cards.core import (
    Action,
    ActionSet,
    AdaptiveCard,
    CardElement,
    Column,
    ColumnSet,
    Container,
    ExecuteAction,
    OpenUrlAction,
    RefreshDefinition,
    RichTextBlock,
    SubmitAction,
    TextBlock,
    TextRun,
)

from bot.activity import Card
from bot.cards.field_errors import FormError, Link
from bot.languages import Texts

Style = Literal["default", "emphasis", "accent", "good", "attention", "warning"]
Colour = Literal["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"]
Size = Literal["Small", "Default", "Medium", "Large", "ExtraLarge"]
Weight = Literal["Default", "Bolder"]
Spacing = Literal["None", "Small", "Default", "Medium", "Large"]

SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
MAX_ACTIONS = 6
BAR = "━━━━━━"
NBSP = "\N{NO-BREAK SPACE}"
"""Between a symbol and its word, which belong on one line."""
EM_SPACE = "\N{EM SPACE}"
"""Between parts that begin with a symbol of their own."""


def card(
    texts: Texts, title: str, body: Iterable[CardElement], actions: Sequence[Action] = (), wide: bool = False
) -> Card:
    """The finished card; ``title`` is shown in notifications, and by clients that cannot render cards."""
    built = AdaptiveCard(version="1.5", lang=texts.language, fallback_text=title, body=list(body))
    if actions:
        built.actions = list(actions)
    json: Card = {"$schema": SCHEMA, **built.model_dump(by_alias=True, exclude_none=True)}
    if wide:
        json["msteams"] = {"width": "Full"}
    return json


def refreshing(made: Card, verb: str, data: Mapping[str, str], reader: str) -> Card:
    """The card, which asks for itself again when ``reader``, a channel id, opens it; older clients ignore that.

    Source: Teams, "Universal Actions for Adaptive Cards", "User specific views".
    """
    again = RefreshDefinition(action=ExecuteAction(verb=verb, data=dict(data)), user_ids=[reader])
    return {**made, "refresh": again.model_dump(by_alias=True, exclude_none=True)} if reader else made


def with_banner(made: Card, *lines: str) -> Card:
    """The card with a warning below its header."""
    banner = note("warning", "☝️", *lines).model_dump(by_alias=True, exclude_none=True)
    return {**made, "body": [*made["body"][:1], banner, *made["body"][1:]]}


def summary(made: Card) -> str:
    """The text of the card's notification."""
    return str(made["fallbackText"])


def header(symbol: str, title: str, subtitle: str = "", extra: Sequence[CardElement] = ()) -> Container:
    """The band at the top: a symbol, the card's title, and a subtitle."""
    words: list[CardElement] = [
        TextBlock(text=title, size="Large", weight="Bolder", wrap=True, style="heading", spacing="None")
    ]
    if subtitle:
        words.append(plain(subtitle, subtle=True, spacing="None"))
    sign = TextBlock(text=symbol, size="ExtraLarge", spacing="None")
    row = ColumnSet(columns=[_column([sign], "auto"), _column(words, "stretch")])
    return Container(style="emphasis", bleed=True, items=[row, *extra])


def progress(done: int, total: int) -> RichTextBlock:
    """A row of bars, the first ``done`` of them in the accent colour."""
    filled = TextRun(text=" ".join([BAR] * done) + " ", color="Accent", weight="Bolder")
    rest = TextRun(text=" ".join([BAR] * (total - done)) or " ", is_subtle=True)
    return RichTextBlock(inlines=[filled, rest], spacing="Small")


def text(
    words: str,
    *,
    subtle: bool = False,
    weight: Literal["Default", "Bolder"] = "Default",
    spacing: Spacing = "Default",
) -> TextBlock:
    """A paragraph from the catalogue, with Markdown. Never for text from outside."""
    return TextBlock(text=words, wrap=True, is_subtle=subtle or None, weight=weight, spacing=spacing)


def plain(
    words: str,
    *,
    size: Size | None = None,
    weight: Weight | None = None,
    colour: Colour | None = None,
    subtle: bool = False,
    spacing: Spacing | None = None,
) -> RichTextBlock:
    """A paragraph shown literally, safe for text from outside."""
    run = TextRun(text=words, size=size, weight=weight, color=colour, is_subtle=subtle or None)
    return RichTextBlock(inlines=[run], spacing=spacing)


def note(style: Style, symbol: str, *lines: str, link: Link | None = None) -> Container:
    """A coloured box with a symbol: the first line bold, the others below, and a link."""
    words: list[CardElement] = [
        plain(line, weight=None if index or len(lines) == 1 else "Bolder", spacing="Small" if index else "None")
        for index, line in enumerate(lines)
        if line
    ]
    sign = TextBlock(text=symbol, spacing="None")
    items: list[CardElement] = [ColumnSet(columns=[_column([sign], "auto"), _column(words, "stretch")])]
    if link:
        items.append(ActionSet(actions=[open_link(link)], spacing="Small"))
    return Container(style=style, items=items)


def error_note(form_error: FormError) -> Container:
    return note("attention", "❌", form_error.sentence, form_error.remedy, link=form_error.link)


def tiles(*pairs: tuple[str, str]) -> ColumnSet:
    """Figures side by side, each with its name below."""
    return ColumnSet(columns=[_column([_figure(value), _caption(name)], "stretch") for name, value in pairs])


def _figure(value: str) -> RichTextBlock:
    return plain(value, size="Large", weight="Bolder", spacing="None")


def _caption(name: str) -> RichTextBlock:
    return plain(name, size="Small", subtle=True, spacing="None")


def fact(name: str, value: str) -> Container:
    """A name, small, and its value below."""
    return Container(spacing="Small", items=[_caption(name), plain(value, spacing="None")])


def row(symbol: str, *lines: str, spacing: Spacing = "Small", select: Action | None = None) -> ColumnSet:
    """A line of a list: a symbol, a text, and subtle lines below it. Pressing it is ``select``."""
    words: list[CardElement] = [
        plain(line, subtle=bool(index), size="Small" if index else None, spacing="None")
        for index, line in enumerate(lines)
        if line
    ]
    sign = TextBlock(text=symbol, spacing="None")
    columns = [_column([sign], "auto"), _column(words, "stretch")]
    if select is None:
        return ColumnSet(spacing=spacing, columns=columns)
    columns.append(_column([TextBlock(text="›", size="Large", spacing="None")], "auto"))
    return ColumnSet(spacing=spacing, columns=columns, select_action=select)


def _column(items: Sequence[CardElement], width: str) -> Column:
    return Column(width=width, items=list(items))


def button(
    title: str,
    verb: str,
    data: Mapping[str, str] | None = None,
    *,
    style: Literal["default", "positive", "destructive"] | None = None,
    inputs: bool = False,
) -> ExecuteAction:
    """A button whose answer replaces the card; older clients send the same as a submit action.

    Only with ``inputs`` the inputs are checked and sent: *Back* and *Cancel* carry no secret.
    """
    carried = dict(data or {})
    associated: Literal["auto", "none"] = "auto" if inputs else "none"
    fallback = SubmitAction(title=title, data={**carried, "verb": verb}, associated_inputs=associated, style=style)
    return ExecuteAction(
        title=title, verb=verb, data=carried, associated_inputs=associated, style=style, fallback=fallback
    )


def pressable(verb: str, data: Mapping[str, str]) -> ExecuteAction:
    """What pressing an element does: as a button, which shows no title."""
    carried = dict(data)
    fallback = SubmitAction(data={**carried, "verb": verb}, associated_inputs="none")
    return ExecuteAction(verb=verb, data=carried, associated_inputs="none", fallback=fallback)


def buttons_in(body: Sequence[CardElement]) -> int:
    """How many buttons are among the elements of a card, and in its boxes."""
    parts: list[object] = [part for element in body for part in (element, *(getattr(element, "items", None) or ()))]
    return sum(len(part.actions or ()) for part in parts if isinstance(part, ActionSet))


def verbs(made: Card) -> set[str]:
    """The verbs of a card's buttons."""
    found: set[str] = set()
    waiting: list[Any] = [made]
    for part in waiting:  # grows meanwhile
        if isinstance(part, dict):
            if part.get("type") == "Action.Execute":
                found.add(str(part["verb"]))
            part = part.values()
        waiting += [inner for inner in part if isinstance(inner, (dict, list))]
    return found


def without_buttons(made: Card, unwanted: Set[str]) -> Card:
    """The same card without the buttons of these verbs."""
    return cast(Card, _without(made, unwanted)) if unwanted else made


def _without(value: Any, unwanted: Set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, unwanted) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, unwanted) for inner in value if not _is_button_of(inner, unwanted)]
    return value


def _is_button_of(value: Any, unwanted: Set[str]) -> bool:
    return isinstance(value, dict) and value.get("type") == "Action.Execute" and value.get("verb") in unwanted


def open_link(link: Link, style: Literal["positive"] | None = None) -> OpenUrlAction:
    return OpenUrlAction(title=link.label, url=link.url, style=style)


def capped(words: str, length: int = 80) -> str:
    """Text from outside, on one line and at most ``length`` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line if len(line) <= length else line[: length - 1] + "…"
