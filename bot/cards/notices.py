"""What the bot says unasked: warnings with their remedy as a button, the all-clear, and how one is warned."""

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
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.parts import Style, button, capped, card, header, note, open_link, plain, row, text
from bot.languages import Texts
from bot.languages.quiet_hours import local
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import BOT, CredentialKind, IntegrationView, Service
from sync.problems.incidents import CLOCK, PEOPLE
from sync.problems.notice_plan import CLEAR, EXPIRY, PROBLEM, ROTATION, UPDATE

INTEGRATIONS_SHOWN = 20
LISTENERS_SHOWN = 20

REPLACES_SECRET = frozenset(
    {Fault.ENTRA_SECRET_WRONG, Fault.ENTRA_SECRET_IS_ID, Fault.ENTRA_SECRET_EXPIRED, Fault.SECRET_UNREADABLE}
)
"""The faults whose remedy is a new client secret."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A notice as it is told to one audience. ``way_in`` leads from a channel, where no button works, to a chat."""

    id: str
    topic: str
    facts: Mapping[str, Any]
    integration: IntegrationView
    links: Links
    zone: str = "UTC"
    way_in: Link | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about it (``how`` as in ``notice_plan.Closing``), by whom (a name, or ``bot``), when."""

    how: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listening:
    """Somebody who is told. ``state``: ``told``, ``waiting``, ``muted``, ``unreachable`` or ``listening``."""

    name: str
    state: str
    is_channel: bool = False


@dataclass(frozen=True, slots=True)
class AlertsView:
    """How somebody is warned: of which integrations (id, name, on), and when not."""

    integrations: Sequence[tuple[str, str, bool]]
    quiet_from: str
    quiet_until: str
    zone: str
    zones: Sequence[str]
    listeners: Sequence[Listening]


def notice_card(texts: Texts, telling: Telling, now: datetime) -> Card:
    """The notice with its remedy; in a channel with a way to the personal chat instead."""
    say = {EXPIRY: _expiry, PROBLEM: _problem, CLEAR: _clear, ROTATION: _rotation, UPDATE: _update}
    title, symbol, body, actions = say[telling.topic](texts, telling, now)
    top = header(symbol, title, capped(telling.integration.name))
    if telling.way_in:
        actions = [open_link(telling.way_in)]
    return card(texts, title, [top, *body], actions)


def closed_card(texts: Texts, telling: Telling, done: Done) -> Card:
    """What stands in a notice's place once somebody has acted: what was done, by whom and when."""
    how, by, at = done.how, done.by, local(done.at, telling.zone)
    when = texts("notice.when", day=texts.date(at.date()), time=f"{at:%H:%M}")
    sentence = texts(f"notice.closed.{how}", when=when)
    if by == BOT.id:
        sentence = texts("notice.closed.by_itself", when=when)
    elif by and how in ("replaced", "changed"):
        sentence = texts(f"notice.closed.{how}_by", by=capped(by), when=when)
    title = texts("notice.closed.title")
    data = {"integration": telling.integration.id}
    ways_on = {"button.status": "status.show"}
    if how == "replaced":
        ways_on["button.monitors"] = "monitors.show"
    actions: list[Action] = [button(texts(key), verb, data) for key, verb in ways_on.items() if not telling.way_in]
    body = [header("✅", title, capped(telling.integration.name)), note("good", "✔️", sentence)]
    return card(texts, title, body, actions)


Said = tuple[str, str, list[CardElement], list[Action]]


def _expiry(texts: Texts, telling: Telling, now: datetime) -> Said:
    facts = telling.facts
    actions = [_replace(texts, telling), *_later(texts, telling)]
    if not facts.get("expires_on"):
        title = texts("notice.expiry.unknown")
        return (
            title,
            "❔",
            [note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy"))],
            actions,
        )
    expires = date.fromisoformat(facts["expires_on"])
    days, day = (expires - now.date()).days, texts.date(expires)
    is_certificate = facts.get("credential") == CredentialKind.CERTIFICATE
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
        texts("notice.expiry.automatic") if telling.integration.auto_rotate else "",
    )
    return title, "⏰", [box], actions


def _problem(texts: Texts, telling: Telling, now: datetime) -> Said:
    facts = telling.facts
    service = str(facts["service"])
    since = texts("light.since", ago=texts.relative(datetime.fromisoformat(facts["since"]), now))
    if service in (PEOPLE, CLOCK):
        return _own_problem(texts, telling, service, since)
    said = _form_error(texts, telling)
    is_wrong = bool(facts.get("lasting"))
    title = texts("notice.problem.wrong" if is_wrong else "notice.problem.unwell", service=_service(texts, service))
    style: Style = "attention" if is_wrong else "warning"
    box = note(style, "❌" if is_wrong else "⚠️", said.sentence, said.remedy, since)
    actions: list[Action] = []
    if Fault(facts["fault"]) in REPLACES_SECRET and service != Service.CLOUDLINK:
        actions.append(_replace(texts, telling))
    elif is_wrong and said.link:
        actions.append(open_link(said.link))
    data = {"integration": telling.integration.id}
    if is_wrong and service == Service.CLOUDLINK:
        actions.insert(0, button(texts("button.edit_cloudlink"), "edit.cloudlink", data, style="positive"))
    actions.append(button(texts("button.test"), "test.run", data))
    return title, "🚨" if is_wrong else "🌩️", [box], [*actions, *_later(texts, telling)]


def _own_problem(texts: Texts, telling: Telling, service: str, since: str) -> Said:
    context = telling.facts.get("context", {})
    title = texts(f"notice.problem.{service}")
    count = int(context.get("people" if service == PEOPLE else "minutes", 0))
    box = note(
        "warning",
        "⚠️",
        texts.plural(f"notice.problem.{service}.what", count),
        texts(f"notice.problem.{service}.remedy"),
        since,
    )
    data = {"integration": telling.integration.id}
    return title, "⚠️", [box], [button(texts("button.status"), "status.show", data), *_later(texts, telling)]


def _clear(texts: Texts, telling: Telling, _now: datetime) -> Said:
    facts = telling.facts
    began, ended = datetime.fromisoformat(facts["since"]), datetime.fromisoformat(facts["ended_at"])
    span = texts.span(int((ended - began).total_seconds()))
    service = str(facts["service"])
    key = f"notice.clear.{service}" if service in (PEOPLE, CLOCK) else "notice.clear"
    title = texts(key, service=_service(texts, service))
    box = note("good", "✅", texts("notice.clear.after", span=span))
    return (
        title,
        "✅",
        [box],
        [button(texts("button.status"), "status.show", {"integration": telling.integration.id})],
    )


def _rotation(texts: Texts, telling: Telling, _now: datetime) -> Said:
    facts = telling.facts
    data = {"integration": telling.integration.id}
    if not facts.get("fault") and facts.get("step") != "failed":
        day = date.fromisoformat(facts["expires_on"]) if facts.get("expires_on") else None
        until = texts("notice.rotation.until", day=texts.date(day)) if day else ""
        box = note("good", "✅", texts("notice.rotation.what"), until)
        shown = [button(texts("button.status"), "status.show", data)]
        asked = button(texts("button.monitors"), "monitors.show", data)
        return texts("notice.rotation.done"), "🔄", [box], [*shown, asked]
    fault = facts.get("fault", "")
    said = (
        form_error(CredentialsWrong(Fault(fault)), texts, telling.links) if fault in list(Fault) else FormError("")
    )
    box = note("attention", "❌", texts("notice.rotation.failed.what"), said.sentence, said.remedy)
    return texts("notice.rotation.failed"), "🔄", [box], [_replace(texts, telling), *_later(texts, telling)]


def _update(texts: Texts, telling: Telling, _now: datetime) -> Said:
    version = str(telling.facts.get("version", ""))
    box = note("accent", "🎁", texts("notice.update.what", version=version), texts("notice.update.why"))
    data = {"integration": telling.integration.id}
    actions: list[Action] = [button(texts("notice.install"), "update.show", data, style="positive")]
    return texts("notice.update"), "🎁", [box], [*actions, *_later(texts, telling)]


def _form_error(texts: Texts, telling: Telling) -> FormError:
    facts, integration = telling.facts, telling.integration
    error = (CredentialsWrong if facts.get("lasting") else ServiceUnavailable)(Fault(facts["fault"]))
    error.context = dict(facts.get("context", {}))
    return form_error(error, texts, telling.links, integration.tenant_id, integration.client_id)


def _service(texts: Texts, service: str) -> str:
    key = f"service.{service}"
    return texts(key) if key in texts.keys else capped(service)


def _replace(texts: Texts, telling: Telling) -> Action:
    data = {"integration": telling.integration.id}
    return button(texts("notice.replace"), "command.rotate", data, style="positive")


def _later(texts: Texts, telling: Telling) -> list[Action]:
    data = {"notice": telling.id}
    return [
        button(texts("notice.remind"), "alerts.remind", data),
        button(texts("notice.told"), "alerts.told", data),
    ]


def reminded(texts: Texts, day: date) -> Card:
    """In the place of a notice that is put off until tomorrow."""
    title = texts("notice.reminded")
    return card(texts, title, [header("🔔", title), text(texts("notice.reminded.when", day=texts.date(day)))])


def told(texts: Texts, name: str, listeners: Sequence[Listening]) -> Card:
    """Who else is told of a notice, and whether it reached them."""
    title = texts("notice.told.title")
    return card(texts, title, [header("👥", title, capped(name)), *_listeners(texts, listeners)])


def alerts(texts: Texts, view: AlertsView, message: str = "") -> Card:
    """How somebody is warned, to be changed; ``message`` is a key of what just became of it."""
    title = texts("alerts.title")
    body: list[CardElement] = [header("🔔", title, texts("alerts.subtitle"))]
    if message:
        wrong = message != "alerts.saved"
        body.append(note("attention" if wrong else "good", "❌" if wrong else "✅", texts(message)))
    body.append(text(texts("alerts.of"), weight="Bolder"))
    body.extend(_toggles(texts, view.integrations))
    if not view.integrations:
        body.append(text(texts("none.title"), subtle=True))
    body.extend(_quiet_hours(texts, view))
    body.append(text(texts("alerts.listeners"), weight="Bolder"))
    body.extend(_listeners(texts, view.listeners))
    body.append(text(texts("alerts.channel"), subtle=True))
    return card(texts, title, body, [button(texts("button.save"), "alerts.save", style="positive", inputs=True)])


def channel_answer(texts: Texts, is_on: bool) -> Card:
    """What a channel is shown when warnings begin or end there, and no more."""
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


def _listeners(texts: Texts, listeners: Sequence[Listening]) -> list[CardElement]:
    rows: list[CardElement] = [_listener(texts, one) for one in listeners[:LISTENERS_SHOWN]]
    more = len(listeners) - LISTENERS_SHOWN
    if more > 0:
        rows.append(plain(texts.plural("alerts.more", more), subtle=True))
    return rows or [text(texts("alerts.nobody"), subtle=True)]


def _listener(texts: Texts, one: Listening) -> CardElement:
    name = capped(one.name, 60) or texts("alerts.a_channel" if one.is_channel else "alerts.an_administrator")
    symbols: Mapping[str, str] = {"told": "✅", "waiting": "⏳", "muted": "🔕", "unreachable": "🚫"}
    return row(symbols.get(one.state, "👤"), name, texts(f"alerts.state.{one.state}"))
