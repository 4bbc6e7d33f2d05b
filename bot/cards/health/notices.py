"""The cards of notices, which the bot sends first: warnings with a button for the remedy, and the all-clear."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from microsoft_teams.cards.core import Action, CardElement

from bot.activity import Card
from bot.cards.credentials.rotation import how_to_permit, old_secret_left, secrets_page
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.health.expiry import about_renewal, expiry_form, renewal
from bot.cards.health.own_problems import last_read, own_problem, service_name, what_is_wrong
from bot.cards.health.remedies import CHANGES_CREDENTIAL, remedies
from bot.cards.health.report import ReportView, digest_parts
from bot.cards.parts import Style, button, capped, card, header, note, open_link, plain, text
from bot.languages import Texts
from bot.languages.quiet_hours import local
from sync.domain.errors import OUTAGES, CredentialsWrong, Fault, SyncError, error_from
from sync.domain.model import BOT, CredentialKind, IntegrationView, Service
from sync.domain.reports import report_in
from sync.domain.rotation import OldSecretLeft, RotationKind
from sync.problems.health import DIRECTORY
from sync.problems.incidents import EVENTS, GROUPS, OWN, PEOPLE
from sync.problems.notice_plan import CLEAR, DIGEST, EXPIRY, PROBLEM, ROTATION, UPDATE

FIRST = {
    EVENTS: ("button.test", "test.run"),
    DIRECTORY: ("button.test", "test.run"),
    GROUPS: ("button.scope", "scope.show"),
    PEOPLE: ("button.left_out", "people.left_out"),
}
"""The label and verb of the first button of a problem that is of no service."""


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


def notice_card(texts: Texts, notice: NoticeView, now: datetime) -> Card:
    """The notice with its remedy; in a channel with a link to the personal chat instead."""
    title, symbol, body, actions = _said(texts, notice, now)
    top = header(symbol, title, capped(notice.integration.name))
    if notice.chat_link:
        actions = [open_link(notice.chat_link)]
    consequence = _consequence(texts, notice)
    summary = f"{title}. {consequence}" if consequence else title
    return card(texts, summary, [top, *body], actions)


def closed_card(texts: Texts, notice: NoticeView, done: Done) -> Card:
    """Replaces a notice that was closed: what was done, by whom and when."""
    how, by, at = done.how, done.by, local(done.at, notice.zone)
    when = texts("notice.when", day=texts.date(at.date()), time=f"{at:%H:%M}")
    is_of_problem, is_unknown = how in ("healed", "disabled"), how == "disabled"
    said = {"problem": _said(texts, notice, done.at)[0].rstrip(".")} if is_of_problem else {}
    sentence = texts(f"notice.closed.{how}", when=when, **said)
    if by == BOT.id:
        sentence = texts("notice.closed.by_itself", when=when)
    elif by and how in ("replaced", "changed"):
        sentence = texts(f"notice.closed.{how}_by", by=capped(by), when=when)
    title = texts("notice.closed.unchecked" if is_unknown else "notice.closed.title")
    data = {"integration": notice.integration.id}
    next_actions = {"button.status": "status.show"}
    if how == "replaced":
        next_actions["button.monitors"] = "monitors.show"
    actions: list[Action] = [
        button(texts(key), verb, data) for key, verb in next_actions.items() if not notice.chat_link
    ]
    nothing = texts("notice.closed.nothing") if notice.chat_link else ""
    box = note("emphasis", "⏸️", sentence) if is_unknown else note("good", "✔️", sentence, nothing)
    body = [header("⏸️" if is_unknown else "✅", title, capped(notice.integration.name)), box]
    return card(texts, title, body, actions)


PASSES = frozenset({Fault.CLOUDLINK_THROTTLED, Fault.ENTRA_THROTTLED, Fault.ENTRA_TEMPORARY, Fault.GRAPH_THROTTLED})
"""Limits and short disturbances: nothing was pressed, and nothing is to be done."""

WAY_IN = frozenset(
    {
        Fault.CLOUDLINK_WAY_IN_NAME,
        Fault.CLOUDLINK_WAY_IN_CERTIFICATE,
        Fault.CLOUDLINK_WAY_IN_CLOSED,
        Fault.CLOUDLINK_WAY_IN_ANSWER,
    }
)
"""Faults of our own public address: phones are then read every 30 seconds."""

NoticeParts = tuple[str, str, list[CardElement], list[Action]]


def _said(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    say = {EXPIRY: _expiry, PROBLEM: _problem, CLEAR: _clear, ROTATION: _rotation, UPDATE: _update, DIGEST: _digest}
    return say[notice.topic](texts, notice, now)


def _expiry(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    facts = notice.facts
    is_certificate = facts.get("credential") == CredentialKind.CERTIFICATE
    later = _later(texts, notice, can_wait=can_wait(notice.topic, facts, now.date()))
    if not facts.get("expires_on"):
        return _unknown_expiry(texts, notice, later, certificate=is_certificate)
    actions = [renewal(texts, notice.integration.id, certificate=is_certificate), *later]
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
        about_renewal(texts, days) if notice.integration.auto_rotate else "",
    )
    return title, "⏰", [box], actions


def _unknown_expiry(texts: Texts, notice: NoticeView, later: list[Action], *, certificate: bool) -> NoticeParts:
    """Asks for the date, or where it can't be entered, for a new credential."""
    asked = [] if notice.chat_link else expiry_form(texts, notice.integration, is_asked=True)
    box = note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy"))
    renew = renewal(texts, notice.integration.id, certificate=certificate, is_first=not asked)
    return texts("notice.expiry.unknown"), "❔", [box, *asked], [renew, *later]


def _problem(texts: Texts, notice: NoticeView, now: datetime) -> NoticeParts:
    facts = notice.facts
    service = str(facts["service"])
    began = texts.since(datetime.fromisoformat(facts["since"]), now, notice.zone)
    since = texts("health.since", since=began)
    if service in OWN:
        last = last_read(texts, facts.get("context", {}), now, notice.zone)
        return _own_problem(texts, notice, service, since, last)
    error, is_wrong = _error(notice), bool(facts.get("lasting"))
    said = _in_words(texts, notice, error)
    style: Style = "attention" if is_wrong else "warning"
    box = note(style, "❌" if is_wrong else "⚠️", _consequence(texts, notice), said.remedy, since)
    actions = remedies(texts, error, Service(service), said, notice.integration.id)
    if error.fault in PASSES:
        actions = [_status(texts, notice, is_first=True)]
    if error.fault in WAY_IN:
        data = {"integration": notice.integration.id}
        actions = [button(texts("button.test_again"), "test.run", data, style="positive"), _status(texts, notice)]
    return said.sentence.rstrip("."), "🚨" if is_wrong else "🌩️", [box], [*actions, *_later(texts, notice)]


def _consequence(texts: Texts, notice: NoticeView) -> str:
    """What a service's refusal or silence means for people on the phone; empty for every other notice."""
    facts = notice.facts
    if notice.topic != PROBLEM or facts["service"] in OWN:
        return ""
    is_stopped = facts.get("lasting") and facts["service"] != Service.CLOUDLINK
    is_slow = facts["fault"] in WAY_IN
    return texts("notice.problem." + ("wrong" if is_stopped else "slow" if is_slow else "unwell"))


def _status(texts: Texts, notice: NoticeView, *, is_first: bool = False) -> Action:
    data = {"integration": notice.integration.id}
    return button(texts("button.status"), "status.show", data, style="positive" if is_first else None)


def _own_problem(texts: Texts, notice: NoticeView, service: str, since: str, last: str) -> NoticeParts:
    title = texts(f"notice.problem.{service}")
    box = own_problem(texts, service, notice.facts.get("context", {}), "" if last else since, last)
    data = {"integration": notice.integration.id}
    first = FIRST.get(service)
    remedy = [button(texts(first[0]), first[1], data, style="positive")] if first else []
    return title, "⚠️", [box], [*remedy, _status(texts, notice, is_first=not first), *_later(texts, notice)]


def _cleared(notice: NoticeView) -> str:
    """The key of what works again.

    A service that refused did work: it was the credentials or the consent that it did not accept.
    """
    fault = notice.facts["fault"]
    if fault in WAY_IN:
        return "notice.clear.way_in"
    if fault == Fault.SECRET_UNREADABLE:
        return "notice.clear.unreadable"
    return "notice.clear.refusal" if notice.facts.get("lasting") else "notice.clear"


def _clear(texts: Texts, notice: NoticeView, _now: datetime) -> NoticeParts:
    facts = notice.facts
    began, ended = datetime.fromisoformat(facts["since"]), datetime.fromisoformat(facts["ended_at"])
    span = texts.span(int((ended - began).total_seconds()))
    service = str(facts["service"])
    key = f"notice.clear.{service}" if service in OWN else _cleared(notice)
    if facts.get("context", {}).get("believed"):
        title = texts("notice.clear.lists.believed")
        missing = what_is_wrong(texts, service, facts["context"])
        box = note("accent", "ℹ️", missing, texts("notice.clear.lists.believed.what"))
    else:
        title = texts(key, service=service_name(texts, service))
        box = note("good", "✅", texts("notice.clear.after", span=span))
    return title, "✅", [box], [_status(texts, notice)]


def _rotation(texts: Texts, notice: NoticeView, _now: datetime) -> NoticeParts:
    facts = notice.facts
    data = {"integration": notice.integration.id}
    if not facts.get("fault") and facts.get("step") != "failed":
        day = date.fromisoformat(facts["expires_on"]) if facts.get("expires_on") else None
        until = texts("notice.rotation.until", day=texts.date(day)) if day else ""
        is_left = facts.get("old_left") in set(OldSecretLeft)
        removed = "" if is_left else texts("notice.rotation.old_removed")
        boxes: list[CardElement] = [note("good", "✅", texts("notice.rotation.what"), removed, until)]
        if is_left:
            page = secrets_page(texts, notice.integration, notice.links)
            boxes.append(old_secret_left(texts, OldSecretLeft(facts["old_left"]), day, page))
        is_shared = facts.get("old_left") == OldSecretLeft.SHARED
        find = [button(texts("button.integrations"), "command.integrations", style="positive")] if is_shared else []
        asked = button(texts("button.monitors"), "monitors.show", data)
        return texts("notice.rotation.done"), "🔄", boxes, [*find, _status(texts, notice), asked]
    fault = facts.get("fault", "")
    known = Fault(fault) if fault in list(Fault) else None
    said = _in_words(texts, notice, CredentialsWrong(known)) if known else FormError("")
    is_secret = facts.get("credential", CredentialKind.SECRET) == CredentialKind.SECRET
    is_certificate = fault in CHANGES_CREDENTIAL or not is_secret
    orders = [said.remedy] if is_certificate else _replace_first(texts, known, said.remedy)
    kept = texts("notice.rotation.failed.what" if is_secret else "certificate.failed.as_before")
    box = note("attention", "❌", kept, said.sentence, *orders, link=said.link)
    actions = [
        renewal(texts, notice.integration.id, certificate=is_certificate),
        *how_to_permit(texts, notice.integration, known),
    ]
    asked_for = "rotate.failed" if is_secret else "certificate.failed"
    is_own = facts.get("kind", RotationKind.AUTOMATIC) == RotationKind.AUTOMATIC
    title = texts("notice.rotation.failed" if is_own else asked_for)
    return title, "🔄", [box], [*actions, *_later(texts, notice)]


def _replace_first(texts: Texts, fault: Fault | None, remedy: str) -> list[str]:
    """What to do about a secret that could not be renewed; of what passes, only to try again."""
    if fault is Fault.GRAPH_ROTATION_FORBIDDEN:
        return [texts("notice.rotation.failed.permit"), remedy]
    replace_it = texts("notice.rotation.failed.replace")
    return [replace_it] if fault in OUTAGES else [replace_it, remedy]


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
    """An error in words; of one that passes, that it is retried, without what a form's reader can press."""
    said = form_error(error, texts, notice.links, notice.integration.client_id)
    return replace(said, remedy=texts("notice.retried")) if error.fault in PASSES else said


def _later(texts: Texts, notice: NoticeView, *, can_wait: bool = True) -> list[Action]:
    data = {"notice": notice.id}
    remind = [button(texts("notice.remind"), "alerts.remind", data)] if can_wait else []
    return [*remind, button(texts("notice.told"), "alerts.told", data)]


def can_wait(topic: str, facts: Mapping[str, Any], today: date) -> bool:
    """Whether a reminder tomorrow is of use: not of what expires today."""
    return topic != EXPIRY or facts.get("expires_on") != today.isoformat()


def reminded(texts: Texts, notice: NoticeView, day: date, now: datetime) -> Card:
    """Replaces a notice that is postponed until tomorrow."""
    title = texts("notice.reminded")
    about = _said(texts, notice, now)[0]
    body: list[CardElement] = [
        header("🔔", title, capped(notice.integration.name)),
        plain(about, weight="Bolder"),
        text(texts("notice.reminded.when", day=texts.date(day)), spacing="Small"),
    ]
    return card(texts, title, body, [button(texts("alerts.title"), "command.alerts")])
