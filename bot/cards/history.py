"""Who did what, when, and how it went: as cards, and as the lines of a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, RichTextBlock, TextRun

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, open_link, plain, row, text
from bot.languages import Texts
from storage.queries.history import DONE
from storage.tables.history import HistoryEntry
from sync.domain.model import BOT, IntegrationView

PAGE = 10
LINES = 9
CHOICES = 30
SHORT = 30
EVERY = "all"
"""The choice of no integration in particular."""


def history_card(
    texts: Texts,
    acts: Sequence[HistoryEntry],
    total: int,
    page: int,
    now: datetime,
    integrations: Sequence[IntegrationView] = (),
    chosen: str = "",
) -> Card:
    """A page of acts, newest first; with several ``integrations``, a choice among them."""
    title = texts("history.title")
    body: list[CardElement] = [header("📜", title, texts.plural("history.count", total))]
    body.extend(_act(texts, act, now) for act in acts)
    if not acts:
        body.append(text(texts("history.empty")))
    if total > PAGE:
        body.append(plain(where(texts, page, -(-total // PAGE)), subtle=True))
    if len(integrations) > 1:
        body.append(_filter(texts, integrations, chosen))
    return card(texts, title, body, _actions(texts, total, page, chosen, len(integrations) > 1), wide=True)


def export_card(texts: Texts, total: int, link: Link | None, chosen: str = "") -> Card:
    """Where the file can be had; without a link it is shown as text."""
    title = texts("export.title")
    body: list[CardElement] = [header("📤", title, texts.plural("history.count", total))]
    body.append(text(texts("export.link" if link else "export.no_link")))
    actions: list[Action] = [open_link(link)] if link else []
    actions.append(button(texts("button.export_text"), "export.text", {"integration": chosen, "page": "0"}))
    actions.append(button(texts("button.history"), "history.show", {"integration": chosen}))
    return card(texts, title, body, actions)


def export_text(texts: Texts, lines: Sequence[str], total: int, page: int, chosen: str = "") -> Card:
    """The file's lines as text to be copied, a page at a time."""
    title = texts("export.title")
    pages = max(1, -(-total // LINES))
    body: list[CardElement] = [header("📤", title, where(texts, page, pages)), text(texts("export.copy"))]
    body.extend(_letter_for_letter(capped(line, 430)) for line in lines)
    data = {"integration": chosen}
    actions: list[Action] = []
    if page:
        actions.append(button(texts("button.previous"), "export.text", {**data, "page": str(page - 1)}))
    if page + 1 < pages:
        actions.append(button(texts("button.more"), "export.text", {**data, "page": str(page + 1)}))
    actions.append(button(texts("button.history"), "history.show", data))
    return card(texts, title, body, actions, wide=True)


def where(texts: Texts, page: int, pages: int) -> str:
    """ "Page 2 of 5", for the page counted from 0."""
    return texts("history.page", page=texts.number(page + 1), pages=texts.number(pages))


def columns(texts: Texts) -> list[str]:
    """The head of the file."""
    about = ("when", "who", "who_id", "integration", "integration_id")
    named = (*about, "what", "result", "details", "act", "outcome")
    return [texts(f"export.column.{name}") for name in named]


def line(texts: Texts, act: HistoryEntry) -> list[str]:
    """An act as a line of the file: in words, and at the end as the keys they stand for."""
    return [
        act.at.isoformat(timespec="seconds"),
        who(texts, act),
        act.actor_id,
        act.integration_name,
        act.integration_id,
        what(texts, act),
        result(texts, act),
        details(texts, act.facts),
        act.act,
        act.result,
    ]


def who(texts: Texts, act: HistoryEntry) -> str:
    return texts("history.bot") if act.actor_id == BOT.id else act.actor_name or act.actor_id


def what(texts: Texts, act: HistoryEntry) -> str:
    """The act in words; one this version has no words for, by its key."""
    key = f"act.{act.act}"
    return texts(key) if key in texts.keys else act.act


def result(texts: Texts, act: HistoryEntry) -> str:
    for key in (f"result.{act.result}", f"fault.{act.result}"):
        if key in texts.keys:
            return texts.lenient(key, act.facts)
    return act.result


def details(texts: Texts, facts: Mapping[str, Any]) -> str:
    """The facts that have a name on cards: "Tenant ID: 1b2c…, Name: Head office"."""
    named = {name: f"field.{name}" if f"field.{name}" in texts.keys else f"detail.{name}" for name in facts}
    return ", ".join(
        f"{texts(key)}: {_value(texts, facts[name])}" for name, key in named.items() if key in texts.keys
    )


def _value(texts: Texts, value: Any) -> str:
    key = f"detail.value.{value}"
    return texts(key) if key in texts.keys else str(value)


def _act(texts: Texts, act: HistoryEntry, now: datetime) -> CardElement:
    told = " · ".join(part for part in (what(texts, act), capped(act.integration_name, SHORT)) if part)
    by = f"{capped(who(texts, act), SHORT)} · {texts.relative(act.at, now)} · {texts.moment(act.at)}"
    failed = act.result != DONE
    outcome = capped(result(texts, act), 120) if failed else ""
    return row("❌" if failed else "✅", capped(told, 80), by, outcome, capped(details(texts, act.facts), 80))


def _filter(texts: Texts, integrations: Sequence[IntegrationView], chosen: str) -> ChoiceSetInput:
    named = [Choice(title=capped(one.name, SHORT), value=one.id) for one in integrations[:CHOICES]]
    return ChoiceSetInput(
        id="integration",
        label=texts("pick.label"),
        choices=[Choice(title=texts("history.every"), value=EVERY), *named],
        value=chosen or EVERY,
        style="compact",
    )


def _actions(texts: Texts, total: int, page: int, chosen: str, has_filter: bool) -> list[Action]:
    data = {"integration": chosen}
    actions: list[Action] = []
    if page:
        actions.append(button(texts("button.previous"), "history.page", {**data, "page": str(page - 1)}))
    if (page + 1) * PAGE < total:
        actions.append(button(texts("button.more"), "history.page", {**data, "page": str(page + 1)}))
    if has_filter:
        actions.append(button(texts("button.filter"), "history.filter", inputs=True))
    if total:
        actions.append(button(texts("button.export"), "export.link", data))
    return actions


def _letter_for_letter(words: str) -> RichTextBlock:
    return RichTextBlock(inlines=[TextRun(text=words, size="Small", font_type="Monospace")], spacing="None")
