"""Proactive cards: warnings with a button for the remedy, the all-clear, and the alert preferences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    TimeInput,
    ToggleInput,
)

from bot.activity import Card
from bot.cards.credentials.rotation import old_secret_left
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.health.expiry import expiry_form
from bot.cards.health.own_problems import own_problem, service_name
from bot.cards.health.remedies import CHANGES_CREDENTIAL, remedies
from bot.cards.health.report import ReportView, digest_parts
from bot.cards.parts import Style, button, capped, card, header, note, open_link, plain, row, text
from bot.languages import Texts
from bot.languages.quiet_hours import local
from sync.domain.errors import CredentialsWrong, Fault, SyncError, error_from
from sync.domain.model import BOT, CredentialKind, IntegrationView, Service
from sync.domain.reports import Cadence, report_in
from sync.domain.rotation import OldSecretLeft
from sync.problems.incidents import EVENTS, GROUPS, OWN
from sync.problems.notice_plan import CLEAR, DIGEST, EXPIRY, PROBLEM, ROTATION, UPDATE

INTEGRATIONS_SHOWN = 20
FIRST = {EVENTS: ("button.test", "test.run"), GROUPS: ("button.scope", "scope.show")}
"""The label and verb of the first button of a problem that is of no service."""

INTEGRATIONS_NAMED = 3
LISTENERS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice for one audience. ``chat_link`` leads from a channel, where buttons do not work, to the chat."""

    id: str
    topic: str
    facts: Mapping[str, Any]
    integration: IntegrationView
    links: Links
    zone: str = "UTC"
    chat_link: Link | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How a notice was closed: ``how`` as in ``Resolution``, ``by`` is a name or ``bot``, and when."""

    how: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """A recipient of notices. ``state``: ``told``, ``waiting``, ``muted``, ``unreachable`` or ``listening``."""

    name: str
    state: str
    is_channel: bool = False


@dataclass(frozen=True, slots=True)
class AlertsView:
    """A person's alert preferences: which integrations (id, name, on), quiet hours, and how often the digest."""

    integrations: Sequence[tuple[str, str, bool]]
    quiet_from: str
    quiet_until: str
    zone: str
    zones: Sequence[str]
    listeners: Sequence[Listener]
    digest: str = ""


def notice_card(texts: Texts, notice: NoticeView, now: datetime) -> Card:
    """The notice with its remedy; in a channel with a link to the personal chat instead."""
    say = {EXPIRY: _expiry, PROBLEM: _problem, CLEAR: _clear, ROTATION: _rotation, UPDATE: _update, DIGEST: _digest}
    title, symbol, body, actions = say[notice.topic](texts, notice, now)
    top = header(symbol, title, capped(notice.integration.name))
    if notice.chat_link:
        actions = [open_link(notice.chat_link)]
    return card(texts, title, [top, *body], actions)


def closed_card(texts: Texts, notice: NoticeView, done: Done) -> Card:
    """Replaces a notice that was closed: what was done, by whom and when."""
    how, by, at = done.how, done.by, local(done.at, notice.zone)
    when = texts("notice.when", day=texts.date(at.date()), time=f"{at:%H:%M}")
    sentence = texts(f"notice.closed.{how}", when=when)
    if by == BOT.id:
        sentence = texts("notice.closed.by_itself", when=when)
    elif by and how in ("replaced", "changed"):
        sentence = texts(f"notice.closed.{how}_by", by=capped(by), when=when)
    title = texts("notice.closed.title")
    data = {"integration": notice.integration.id}
    next_actions = {"button.status": "status.show"}
    if how == "replaced":
        next_actions["button.monitors"] = "monitors.show"
    actions: list[Action] = [
        button(texts(key), verb, data) for key, verb in next_actions.items() if not notice.chat_link
    ]
    nothing = texts("notice.closed.nothing") if notice.chat_link else ""
    body = [header("✅", title, capped(notice.integration.name)), note("good", "✔️", sentence, nothing)]
    return card(texts, title, body, actions)


NoticeParts = tuple[str, str, list[CardElement], list[Action]]


def _expiry(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    facts = notice.facts
    is_certificate = facts.get("credential") == CredentialKind.CERTIFICATE
    actions = [_replace(texts, notice, is_certificate), *_later(texts, notice)]
    if not facts.get("expires_on"):
        title = texts("notice.expiry.unknown")
        box = note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy"))
        asked = [] if notice.chat_link else expiry_form(texts, notice.integration)
        return title, "❔", [box, *asked], actions
    expires = date.fromisoformat(facts["expires_on"])
    days, day = (expires - now.date()).days, texts.date(expires)
    what = texts("notice.what.certificate" if is_certificate else "notice.what.secret")
    if days < 0:
        title = texts.plural("notice.expiry.past", -days, what=what)
        box = note("attention", "❌", texts("notice.expiry.past.since", day=day), texts("notice.expiry.past.why"))
        return title, "⏰", [box], actions
    title = texts.plural("notice.expiry.soon", days, what=what) if days else texts("notice.expiry.today", what=what)
    near = days <= 7
    box = note(
        "attention" if near else "warning",
        "⚠️",
        texts("notice.expiry.day", day=day),
        texts("notice.expiry.why"),
        texts("notice.expiry.automatic") if notice.integration.auto_rotate else "",
    )
    return title, "⏰", [box], actions


def _problem(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    facts = notice.facts
    service = str(facts["service"])
    began = texts.since(datetime.fromisoformat(facts["since"]), now, notice.zone)
    since = texts("health.since", since=began)
    if service in OWN:
        return _own_problem(texts, notice, service, since)
    error, is_wrong = _error(notice), bool(facts.get("lasting"))
    said = _in_words(texts, notice, error)
    is_stopped = is_wrong and service != Service.CLOUDLINK
    consequence = "notice.problem.wrong" if is_stopped else "notice.problem.unwell"
    title = texts(consequence, what=said.sentence.rstrip("."))
    style: Style = "attention" if is_wrong else "warning"
    box = note(style, "❌" if is_wrong else "⚠️", said.remedy, since)
    actions = remedies(texts, error, Service(service), said, notice.integration.id)
    return title, "🚨" if is_wrong else "🌩️", [box], [*actions, *_later(texts, notice)]


def _own_problem(texts: Texts, notice: NoticeView, service: str, since: str) -> NoticeParts:
    title = texts(f"notice.problem.{service}")
    box = own_problem(texts, service, notice.facts.get("context", {}), since)
    data = {"integration": notice.integration.id}
    first = FIRST.get(service)
    remedy = [button(texts(first[0]), first[1], data, style="positive")] if first else []
    shown = button(texts("button.status"), "status.show", data)
    return title, "⚠️", [box], [*remedy, shown, *_later(texts, notice)]


def _clear(texts: Texts, notice: NoticeView, _now: datetime) -> NoticeParts:
    facts = notice.facts
    began, ended = datetime.fromisoformat(facts["since"]), datetime.fromisoformat(facts["ended_at"])
    span = texts.span(int((ended - began).total_seconds()))
    service = str(facts["service"])
    key = f"notice.clear.{service}" if service in OWN else "notice.clear"
    if facts.get("context", {}).get("believed"):
        title = texts("notice.clear.lists.believed")
        box = note("accent", "ℹ️", texts("notice.clear.lists.believed.what"))
    else:
        title = texts(key, service=service_name(texts, service))
        box = note("good", "✅", texts("notice.clear.after", span=span))
    return (
        title,
        "✅",
        [box],
        [button(texts("button.status"), "status.show", {"integration": notice.integration.id})],
    )


def _rotation(texts: Texts, notice: NoticeView, _now: datetime) -> NoticeParts:
    facts = notice.facts
    data = {"integration": notice.integration.id}
    if not facts.get("fault") and facts.get("step") != "failed":
        day = date.fromisoformat(facts["expires_on"]) if facts.get("expires_on") else None
        until = texts("notice.rotation.until", day=texts.date(day)) if day else ""
        box = note("good", "✅", texts("notice.rotation.what"), until)
        boxes: list[CardElement] = [box]
        if facts.get("old_left") in set(OldSecretLeft):
            boxes.append(old_secret_left(texts, OldSecretLeft(facts["old_left"])))
        shown = [button(texts("button.status"), "status.show", data)]
        asked = button(texts("button.monitors"), "monitors.show", data)
        return texts("notice.rotation.done"), "🔄", boxes, [*shown, asked]
    fault = facts.get("fault", "")
    said = (
        form_error(CredentialsWrong(Fault(fault)), texts, notice.links) if fault in list(Fault) else FormError("")
    )
    is_certificate = fault in CHANGES_CREDENTIAL
    by_hand = "" if is_certificate else texts("notice.rotation.failed.replace")
    kept = f"{texts('notice.rotation.failed.what')} {by_hand}".rstrip()
    box = note("attention", "❌", kept, said.sentence, said.remedy)
    main = _replace(texts, notice, is_certificate)
    return texts("notice.rotation.failed"), "🔄", [box], [main, *_later(texts, notice)]


def _update(texts: Texts, notice: NoticeView, _now: datetime) -> NoticeParts:
    version = str(notice.facts.get("version", ""))
    box = note("accent", "🎁", texts("notice.update.what", version=version), texts("notice.update.why"))
    data = {"integration": notice.integration.id}
    actions: list[Action] = [button(texts("notice.install"), "update.show", data, style="positive")]
    return texts("notice.update"), "🎁", [box], [*actions, *_later(texts, notice)]


def _digest(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    view = ReportView(report_in(notice.facts), notice.integration, notice.links, now, notice.zone)
    return digest_parts(texts, view)


def _error(notice: NoticeView) -> SyncError:
    facts = notice.facts
    return error_from(facts["fault"], bool(facts.get("lasting")), facts.get("context", {}))


def _in_words(texts: Texts, notice: NoticeView, error: SyncError) -> FormError:
    integration = notice.integration
    return form_error(error, texts, notice.links, integration.client_id)


def _replace(texts: Texts, notice: NoticeView, certificate: bool) -> Action:
    """To the form for a new secret; to the choice of credentials where a certificate is what helps."""
    key, verb = ("button.change_credential", "certificate.show") if certificate else ("button.rotate", "rotate.ask")
    return button(texts(key), verb, {"integration": notice.integration.id}, style="positive")


def _later(texts: Texts, notice: NoticeView) -> list[Action]:
    data = {"notice": notice.id}
    return [
        button(texts("notice.remind"), "alerts.remind", data),
        button(texts("notice.told"), "alerts.told", data),
    ]


def reminded(texts: Texts, day: date) -> Card:
    """Replaces a notice that is postponed until tomorrow."""
    title = texts("notice.reminded")
    body = [header("🔔", title), text(texts("notice.reminded.when", day=texts.date(day)))]
    return card(texts, title, body, [button(texts("alerts.title"), "command.alerts")])


def recipients_card(texts: Texts, name: str, listeners: Sequence[Listener]) -> Card:
    """Who else receives a notice, and whether it reached them."""
    title = texts("notice.told.title")
    body = [header("👥", title, capped(name)), *_listeners(texts, listeners)]
    return card(texts, title, body, [button(texts("alerts.title"), "command.alerts")])


def alerts(texts: Texts, view: AlertsView, message: str = "") -> Card:
    """The form of the alert preferences; ``message`` is the key of the result of saving them."""
    title = texts("alerts.title")
    body: list[CardElement] = [header("🔔", title, texts("alerts.subtitle"))]
    if message:
        wrong = message != "alerts.saved"
        said = [] if wrong else _what_is_sent(texts, view)
        body.append(note("attention" if wrong else "good", "❌" if wrong else "✅", texts(message), *said))
    body.append(text(texts("alerts.of"), weight="Bolder"))
    body.extend(_toggles(texts, view.integrations))
    if not view.integrations:
        body.append(text(texts("none.title"), subtle=True))
    body.extend(_quiet_hours(texts, view))
    body.extend(_digest_choice(texts, view.digest))
    body.append(text(texts("alerts.listeners"), weight="Bolder"))
    body.extend(_listeners(texts, view.listeners))
    body.append(text(texts("alerts.channel"), subtle=True))
    return card(texts, title, body, [button(texts("button.save"), "alerts.save", style="positive", inputs=True)])


def _what_is_sent(texts: Texts, view: AlertsView) -> list[str]:
    """What the reader gets from now on, and when."""
    on = [capped(name, 40) for _, name, is_on in view.integrations if is_on]
    named = ", ".join(on[:INTEGRATIONS_NAMED])
    more = len(on) - INTEGRATIONS_NAMED
    named = texts.plural("report.and_more", more, names=named) if more > 0 else named
    said = [texts("alerts.sent.about", names=named) if on else texts("alerts.sent.none")]
    if on and view.quiet_from:
        hours = {"begin": view.quiet_from, "end": view.quiet_until, "zone": view.zone.replace("_", " ")}
        said.append(texts("alerts.sent.quiet", **hours))
    if view.digest:
        said.append(texts("alerts.sent.digest", when=texts(f"digest.{view.digest}")))
    others = sum(one.state == "listening" for one in view.listeners)
    return [*said, texts.plural("alerts.sent.to", others)]


def channel_answer(texts: Texts, is_on: bool) -> Card:
    """The only card a channel gets when notices start or stop there."""
    key = "channel.on" if is_on else "channel.off"
    return card(texts, texts(key), [note("good", "🔔" if is_on else "🔕", texts(key))])


def _toggles(texts: Texts, integrations: Sequence[tuple[str, str, bool]]) -> list[CardElement]:
    title = texts("alerts.on")
    return [
        ToggleInput(id=f"on_{key}", label=capped(name), title=title, value="true" if is_on else "false")
        for key, name, is_on in integrations[:INTEGRATIONS_SHOWN]
    ]


def _quiet_hours(texts: Texts, view: AlertsView) -> list[CardElement]:
    zones = list(dict.fromkeys([*([view.zone] if view.zone not in view.zones else []), *view.zones]))
    return [
        text(texts("alerts.quiet"), weight="Bolder"),
        TimeInput(id="quiet_from", label=texts("alerts.quiet.from"), value=view.quiet_from or None),
        TimeInput(id="quiet_until", label=texts("alerts.quiet.until"), value=view.quiet_until or None),
        ChoiceSetInput(
            id="time_zone",
            label=texts("alerts.zone"),
            choices=[Choice(title=zone.replace("_", " "), value=zone) for zone in zones],
            value=view.zone,
            style="compact",
        ),
        text(texts("alerts.urgent"), subtle=True),
    ]


def _digest_choice(texts: Texts, chosen: str) -> list[CardElement]:
    choices = [Choice(title=texts(f"digest.{one or 'never'}"), value=one or "never") for one in Cadence]
    return [
        text(texts("digest.choice"), weight="Bolder"),
        ChoiceSetInput(
            id="digest", label=texts("digest.how_often"), choices=choices, value=chosen or "never", style="compact"
        ),
        text(texts("digest.what"), subtle=True),
    ]


def _listeners(texts: Texts, listeners: Sequence[Listener]) -> list[CardElement]:
    rows: list[CardElement] = [_listener(texts, one) for one in listeners[:LISTENERS_SHOWN]]
    more = len(listeners) - LISTENERS_SHOWN
    if more > 0:
        rows.append(plain(texts.plural("alerts.more", more), subtle=True))
    return rows or [text(texts("alerts.nobody"), subtle=True)]


def _listener(texts: Texts, one: Listener) -> CardElement:
    name = capped(one.name, 60) or texts("alerts.a_channel" if one.is_channel else "alerts.an_administrator")
    symbols: Mapping[str, str] = {"told": "✅", "waiting": "⏳", "muted": "🔕", "unreachable": "🚫"}
    return row(symbols.get(one.state, "👤"), name, texts(f"alerts.state.{one.state}"))
