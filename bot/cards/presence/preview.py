"""The preview before enabling: who is matched, who is not and why, and what would be sent now."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from microsoft_teams.cards.core import Action, CardElement, Container

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.parts import button, capped, card, header, note, plain, row, text, tiles
from bot.cards.presence.schedule import outside_hours
from bot.cards.setup.steps import step_header
from bot.languages import Texts
from sync.domain.model import ExpirySource, IntegrationView, Preview, Unmatched, UnmatchedPerson, WouldSend

PAGE = 10
NAMES = 25
LONGEST_NAME = 30
SENT_SHOWN = 5


def preview_card(
    texts: Texts, integration: IntegrationView, preview: Preview, page: int = 0, wizard: bool = False
) -> Card:
    """``page`` counts the pages of people from 0; with ``wizard`` it is setup's last step."""
    title = texts("preview.title")
    body: list[CardElement] = [_top(texts, title, integration.name, wizard)]
    if wizard and page == 0:
        body.append(note("good", "✅", texts("preview.saved"), *_expiry_read(texts, integration)))
    body.append(_figures(texts, preview))
    body.extend(_shown(texts, preview, page))
    body.extend(_left_out(texts, preview, page))
    if pages(preview) > 1:
        body.append(plain(texts("preview.page", page=page + 1, pages=pages(preview)), subtle=True))
    closed = [note("default", "🌙", texts("preview.closed"))]
    body.extend(closed if integration.closed else _would_send(texts, preview.would_send))
    body.append(note("accent", "ℹ️", texts("preview.patience"), texts("preview.by_hand")))
    if page == 0:
        body.extend(_also(texts, integration.feature_version))
    return card(texts, title, body, _actions(texts, integration.id, preview, page, wizard), wide=True)


def preview_failed(texts: Texts, integration: IntegrationView, form_error: FormError, wizard: bool = False) -> Card:
    """The directories could not be read; the integration stays stored."""
    title = texts("preview.title")
    body = [
        _top(texts, title, integration.name, wizard),
        note("attention", "❌", form_error.sentence, form_error.remedy, link=form_error.link),
        text(texts("preview.kept")),
    ]
    verb = "setup" if wizard else "enable"
    actions = [
        button(texts("button.try_again"), f"{verb}.preview", {"integration": integration.id}, style="positive"),
        button(texts("button.later"), f"{verb}.later", {"integration": integration.id}),
    ]
    return card(texts, title, body, actions)


def enabled_card(texts: Texts, integration: IntegrationView, now: datetime, zone: str) -> Card:
    """Presence sync is enabled now; outside the hours, from when on calls are shown."""
    data = {"integration": integration.id}
    begins: list[CardElement] = [text(texts("enabled.what"))]
    if integration.closed:
        until = outside_hours(texts, integration, now, zone)
        begins = [note("default", "🌙", until, texts("status.closed.how"))]
    body = [
        header("🎉", texts("enabled.title"), capped(integration.name)),
        *begins,
        note("accent", "ℹ️", texts("preview.patience"), texts("preview.by_hand")),
    ]
    actions = [
        button(texts("button.status"), "status.show", data, style="positive"),
        button(texts("button.people"), "people.show", data),
        button(texts("button.test"), "test.run", data),
        *([button(texts("button.schedule"), "schedule.show", data)] if integration.closed else []),
    ]
    return card(texts, texts("enabled.title"), body, actions)


def later_card(texts: Texts, integration: IntegrationView) -> Card:
    """The integration is stored but not enabled; how to enable it later."""
    body = [header("🕓", texts("later.title"), capped(integration.name)), text(texts("later.how"))]
    actions = [
        button(texts("button.enable"), "enable.preview", {"integration": integration.id}, style="positive"),
        button(texts("button.status"), "status.show", {"integration": integration.id}),
    ]
    return card(texts, texts("later.title"), body, actions)


def _top(texts: Texts, title: str, name: str, wizard: bool) -> Container:
    return step_header(texts, 3, "👥", title) if wizard else header("👥", title, capped(name))


def _expiry_read(texts: Texts, integration: IntegrationView) -> list[str]:
    """A date that was read from the registration: it may differ from what was typed."""
    day = integration.secret_expires_on
    if day is None or integration.expiry_source is not ExpirySource.GRAPH:
        return []
    return [texts("preview.expires", day=texts.date(day))]


def _figures(texts: Texts, preview: Preview) -> CardElement:
    return tiles(
        (texts("preview.people"), texts.number(preview.people)),
        (texts("preview.matched"), texts.number(preview.matched)),
        (texts("preview.unmatched"), texts.number(len(preview.unmatched))),
    )


def _also(texts: Texts, feature_version: int) -> list[CardElement]:
    """The features of this integration beyond the first release."""
    versions = range(2, feature_version + 1)
    notes = [text(texts(f"update.{version}.notes"), spacing="Small") for version in versions]
    return [text(texts("preview.also"), weight="Bolder", spacing="Medium"), *notes] if notes else []


def pages(preview: Preview) -> int:
    return max(1, -(-len(preview.unmatched) // PAGE), -(-len(preview.shown) // NAMES))


def _shown(texts: Texts, preview: Preview, page: int) -> list[CardElement]:
    """The names of who will be shown, as one paragraph."""
    names = preview.shown[page * NAMES : (page + 1) * NAMES]
    if not names:
        return []
    title = text(texts.plural("preview.shown", preview.matched), weight="Bolder", spacing="Medium")
    return [title, plain(", ".join(capped(name, LONGEST_NAME) for name in names), spacing="Small")]


def _left_out(texts: Texts, preview: Preview, page: int) -> list[CardElement]:
    if not preview.people:
        return [note("warning", "❔", texts("preview.nobody"), texts("preview.nobody.remedy"))]
    if not preview.unmatched:
        return [row("✅", texts("preview.everybody"), spacing="Medium")]
    left_out = preview.unmatched[page * PAGE : (page + 1) * PAGE]
    if not left_out:
        return []
    groups = [
        element
        for reason, people in groupby(left_out, key=lambda person: person.reason)
        for element in _group(texts, reason, people)
    ]
    title = texts("preview.left_out")
    return [text(title, weight="Bolder", spacing="Medium"), *groups]


def _group(texts: Texts, reason: Unmatched, people: Iterable[UnmatchedPerson]) -> list[CardElement]:
    """The people left out for one reason, below it and its remedy."""
    names = [row("👤", capped(person.name or person.address, 60), capped(person.address, 60)) for person in people]
    said = texts(f"unmatched.{reason}")
    return [row("⚠️", said[:1].upper() + said[1:], texts(f"preview.remedy.{reason}"), spacing="Medium"), *names]


def _would_send(texts: Texts, sent: tuple[WouldSend, ...]) -> list[CardElement]:
    if not sent:
        return [text(texts("preview.nobody_on_the_phone"), spacing="Medium")]
    shown = [
        row("📞", capped(one.name), f"{texts(f'line.{one.line}')} → {texts(f'presence.{one.presence.activity}')}")
        for one in sent[:SENT_SHOWN]
    ]
    more = len(sent) - len(shown)
    rest = [plain(texts.plural("preview.more", more), subtle=True)] if more else []
    return [text(texts.plural("preview.would_send", len(sent)), weight="Bolder", spacing="Medium"), *shown, *rest]


def _actions(texts: Texts, integration: str, preview: Preview, page: int, wizard: bool) -> list[Action]:
    verb, data = "setup" if wizard else "enable", {"integration": integration}
    title, what = ("button.enable", "now") if preview.people else ("button.check_again", "preview")
    actions: list[Action] = [button(texts(title), f"{verb}.{what}", data, style="positive")]
    if page > 0:
        actions.append(button(texts("button.previous"), f"{verb}.page", {**data, "page": str(page - 1)}))
    if page + 1 < pages(preview):
        actions.append(button(texts("button.more"), f"{verb}.page", {**data, "page": str(page + 1)}))
    return [*actions, button(texts("button.later"), f"{verb}.later", data)]
