"""History, as cards and as the lines of a CSV file: who did what, when, and with which result."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, RichTextBlock, TextRun

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, open_link, plain, row, text
from bot.languages import Texts
from sync.audit import Act
from sync.domain.model import BOT, IntegrationView

PAGE = 10
LINES = 9
CHOICES = 30
SHORT = 38
DETAILS = 122
"""Long enough for the ids of a tenant and an application, whole."""
EVERY = "all"
"""The choice of all integrations."""

DONE = "done"
"""The result of an act that succeeded; any other result is the key of a fault."""
FAILURES = frozenset({Act.ROTATE_FAILED, Act.ROTATE_FELL_BACK})
"""Acts that are failures themselves."""


class HistoryEntry(Protocol):
    """An act of history, as it is shown."""

    @property
    def integration_id(self) -> str: ...

    @property
    def integration_name(self) -> str: ...

    @property
    def actor_id(self) -> str: ...

    @property
    def actor_name(self) -> str: ...

    @property
    def act(self) -> str: ...

    @property
    def result(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    @property
    def at(self) -> datetime: ...


def history_card(
    texts: Texts,
    entries: Sequence[HistoryEntry],
    total: int,
    page: int,
    now: datetime,
    zone: str,
    integrations: Sequence[IntegrationView] = (),
    chosen: str = "",
) -> Card:
    """A page of entries, newest first, in the reader's ``zone``; with several ``integrations``, a choice."""
    title = texts("history.title")
    body: list[CardElement] = [header("📜", title, texts.plural("history.count", total))]
    body.extend(_entry(texts, entry, now, zone) for entry in entries)
    if not entries:
        body.append(text(texts("history.empty")))
    if total > PAGE:
        body.append(plain(where(texts, page, -(-total // PAGE)), subtle=True))
    if len(integrations) > 1:
        body.append(_filter(texts, integrations, chosen))
    return card(texts, title, body, _actions(texts, total, page, chosen, len(integrations) > 1), wide=True)


def export_card(texts: Texts, total: int, link: Link | None, chosen: str = "") -> Card:
    """The link to the file; without a link, a button to show it as text."""
    title = texts("export.title")
    body: list[CardElement] = [header("📤", title, texts.plural("history.count", total))]
    body.append(text(texts("export.link" if link else "export.no_link")))
    actions: list[Action] = [open_link(link)] if link else []
    actions.append(button(texts("button.export_text"), "export.text", {"integration": chosen, "page": "0"}))
    actions.append(button(texts("button.history"), "history.show", {"integration": chosen}))
    return card(texts, title, body, actions)


def export_text(texts: Texts, lines: Sequence[str], total: int, page: int, chosen: str = "") -> Card:
    """A page of the file's lines as text to copy."""
    title = texts("export.title")
    pages = max(1, -(-total // LINES))
    body: list[CardElement] = [header("📤", title, where(texts, page, pages)), text(texts("export.copy"))]
    body.extend(_monospace(capped(line, 430)) for line in lines)
    data = {"integration": chosen}
    actions: list[Action] = []
    if page:
        actions.append(button(texts("button.previous"), "export.text", {**data, "page": str(page - 1)}))
    if page + 1 < pages:
        actions.append(button(texts("button.more"), "export.text", {**data, "page": str(page + 1)}))
    if pages > 1:
        actions.append(button(texts("button.export"), "export.link", data))
    actions.append(button(texts("button.history"), "history.show", data))
    return card(texts, title, body, actions, wide=True)


def where(texts: Texts, page: int, pages: int) -> str:
    """ "Page 2 of 5", for the page counted from 0."""
    return texts("history.page", page=texts.number(page + 1), pages=texts.number(pages))


def columns(texts: Texts) -> list[str]:
    """The header line of the file."""
    about = ("when", "who", "who_id", "integration", "integration_id")
    named = (*about, "what", "result", "details", "act", "outcome")
    return [texts(f"export.column.{name}") for name in named]


def line(texts: Texts, entry: HistoryEntry) -> list[str]:
    """An entry as a line of the file: in words, and in the last columns as keys."""
    return [
        entry.at.isoformat(timespec="seconds"),
        who(texts, entry),
        entry.actor_id,
        entry.integration_name,
        entry.integration_id,
        what(texts, entry),
        result(texts, entry),
        details(texts, entry.facts),
        entry.act,
        entry.result,
    ]


def who(texts: Texts, entry: HistoryEntry) -> str:
    return texts("history.bot") if entry.actor_id == BOT.id else entry.actor_name or entry.actor_id


def what(texts: Texts, entry: HistoryEntry) -> str:
    """The act in words, said to be an attempt if it failed; of an unknown act, its code in a sentence."""
    key, attempted = f"act.{entry.act}", f"attempt.{entry.act}"
    said = texts(key) if key in texts.keys else texts("history.unknown_act", act=entry.act)
    if entry.result == DONE or entry.act in FAILURES:
        return said
    if attempted in texts.keys:
        return texts("history.failed_to", act=texts(attempted))
    return texts("history.failed", act=said)


def result(texts: Texts, entry: HistoryEntry) -> str:
    for key in (f"result.{entry.result}", f"fault.{entry.result}"):
        if key in texts.keys:
            return texts.lenient(key, entry.facts)
    return texts("history.unknown_result", result=entry.result)


def details(texts: Texts, facts: Mapping[str, Any]) -> str:
    """The facts that have a label: "Tenant ID: 1b2c…, Name: Head office"."""
    named = {name: _first(texts, f"field.{name}", f"detail.{name}", f"line.{name}") for name in facts}
    return ", ".join(f"{texts(key)}: {_value(texts, facts[name])}" for name, key in named.items() if key)


def _first(texts: Texts, *keys: str) -> str:
    """The first key that has a text, empty for none."""
    return next((key for key in keys if key in texts.keys), "")


def _value(texts: Texts, value: Any) -> str:
    key = _first(texts, f"detail.value.{value}", f"mapping.show.{value}")
    return texts(key) if key else str(value)


def _entry(texts: Texts, entry: HistoryEntry, now: datetime, zone: str) -> CardElement:
    title = " · ".join(part for part in (what(texts, entry), capped(entry.integration_name, SHORT)) if part)
    by = f"{capped(who(texts, entry), SHORT)} · {texts.when(entry.at, now, zone)}"
    failed = entry.result != DONE
    outcome = capped(result(texts, entry), 120) if failed else ""
    return row(
        "❌" if failed else "✅", capped(title, 80), by, outcome, capped(details(texts, entry.facts), DETAILS)
    )


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
    return actions or [button(texts("button.help"), "command.help")]


def _monospace(words: str) -> RichTextBlock:
    return RichTextBlock(inlines=[TextRun(text=words, size="Small", font_type="Monospace")], spacing="None")
