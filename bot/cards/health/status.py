"""An integration's status: one truth, in symbol, colour and words, never in colour alone.

The card's title is what Teams shows now. A fault comes first, with its consequence; the remedy of the first one is
the main button, and nothing that the fault makes doubtful is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from microsoft_teams.cards.core import Action, CardElement, Container

from bot.activity import Card
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.health.expiry import expires_soon, expiry, renewal
from bot.cards.health.freshness import freshness
from bot.cards.health.own_problems import clearing, last_read, own_problem
from bot.cards.health.picture import last_day, people_now
from bot.cards.health.proof import proof
from bot.cards.health.remedies import is_lasting, is_suspected, known, remedies
from bot.cards.parts import (
    MAX_ACTIONS,
    NBSP,
    button,
    buttons_in,
    capped,
    card,
    fact,
    header,
    note,
    plain,
    refreshing,
    text,
    tiles,
)
from bot.cards.presence.schedule import outside_hours
from bot.languages import Texts
from sync.domain.errors import OUTAGES, SyncError
from sync.domain.model import CredentialKind, Freshness, IntegrationView, Service, Status
from sync.domain.presence import Effect
from sync.problems.health import DIRECTORY
from sync.problems.incidents import GROUPS, LISTS

UNKNOWN_SHOWN = 5
RECENT = timedelta(minutes=1)
"""A service that answered so recently is said to work, without a time."""
FIRST = (Service.ENTRA, Service.GRAPH, Service.CLOUDLINK)
"""Of two services with a fault of the same kind, the first is fixed first."""


@dataclass(frozen=True, slots=True)
class StatusView:
    """A status for one reader: their time zone and channel id, and whether they may enter what is missing."""

    status: Status
    links: Links
    now: datetime
    zone: str = "UTC"
    reader: str = ""
    may_edit: bool = False
    form_errors: Sequence[FormError] = ()

    @property
    def integration(self) -> IntegrationView:
        return self.status.integration

    def in_words(self, texts: Texts, error: SyncError) -> FormError:
        return form_error(error, texts, self.links, self.integration.client_id)


@dataclass(frozen=True, slots=True)
class _Problem:
    service: Service
    error: SyncError
    since: datetime


def status_card(texts: Texts, view: StatusView) -> Card:
    """It refreshes itself when ``view.reader`` opens it."""
    status, faults = view.status, _faults(view.status)
    symbol, title = _state(texts, view, faults)
    body: list[CardElement] = [
        header(symbol, title, capped(view.integration.name)),
        *_not_stored(texts, status),
        *_problems(texts, view, faults),
        *(own_problem(texts, LISTS, facts) for facts in status.lists_shrunk),
        *_unread(texts, view),
        *(own_problem(texts, GROUPS, facts) for facts in status.groups_unread),
        *_shown(texts, view, faults),
        *_services(texts, view, faults),
        _figures(texts, status, faults),
        *_picture(texts, view, faults),
        *_not_shown(texts, status),
        *_facts(texts, view, faults),
        *_monitors(texts, status),
        *_update(texts, status),
    ]
    actions = _actions(texts, view, faults)[: MAX_ACTIONS - buttons_in(body)]
    data = {"integration": view.integration.id}
    return refreshing(card(texts, title, body, actions, wide=True), "status.show", data, view.reader)


def _faults(status: Status) -> list[_Problem]:
    """What lasts before what passes, and a refusal that is not proven yet last."""
    found = [
        _Problem(health.service, health.error, health.since)
        for health in status.service_health
        if health.error and health.since
    ]
    return sorted(found, key=_urgency)


def _urgency(fault: _Problem) -> tuple[bool, bool, int]:
    return is_suspected(fault.error), not is_lasting(fault.error), FIRST.index(fault.service)


def _state(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> tuple[str, str]:
    """The symbol and the sentence that say what Teams shows now."""
    if not view.integration.enabled:
        return "⏸️", texts("status.disabled")
    if view.status.store_fault:
        return "❌", texts("status.not_stored")
    if _is_closed(view) and not (faults and _stops(faults[0], view.status)):
        return "🌙", _closed(texts, view)
    if not faults:
        return "✅", texts("status.enabled")
    if is_suspected(faults[0].error):
        return "⏳", _checking(texts, faults[0])[0]
    since = texts.since(faults[0].since, view.now, view.zone)
    if _stops(faults[0], view.status):
        return "❌", texts("status.no_calls", since=since)
    return "⚠️", texts("status.out_of_date", since=since)


def _is_closed(view: StatusView) -> bool:
    """Whether nothing is shown now because of the schedule."""
    return view.integration.enabled and view.integration.closed


def _closed(texts: Texts, view: StatusView) -> str:
    return outside_hours(texts, view.integration, view.now, view.zone)


def _stops(fault: _Problem, status: Status) -> bool:
    """Whether nothing new reaches Teams; without CloudLink's credentials its events may still arrive."""
    reported = fault.service is Service.CLOUDLINK and status.freshness is Freshness.LIVE
    return is_lasting(fault.error) and not reported


def _not_stored(texts: Texts, status: Status) -> list[Container]:
    """That nothing can be stored, not even what phones report."""
    return [note("attention", "❌", texts(f"apology.{status.store_fault}"))] if status.store_fault else []


def _problems(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[Container]:
    """Each fault and its remedy; the first one's link is a button of the card."""
    found = []
    for place, fault in enumerate(faults):
        if is_suspected(fault.error):
            found.append(note("warning", "⏳", *_checking(texts, fault)[place == 0 :]))
            continue
        said, lasting = view.in_words(texts, fault.error), is_lasting(fault.error)
        style, symbol = ("attention" if lasting else "warning"), ("❌" if lasting else "⚠️")
        link = said.link if place else None
        found.append(note(style, symbol, said.sentence, said.remedy, link=link))  # type: ignore[arg-type]
    return found


def _unread(texts: Texts, view: StatusView) -> list[Container]:
    """The lists of users that cannot be read: presence works, but who joins or leaves is not seen."""
    return [
        own_problem(texts, DIRECTORY, facts, last=last_read(texts, facts, view.now, view.zone))
        for facts in view.status.lists_unread
    ]


def _checking(texts: Texts, fault: _Problem) -> tuple[str, str]:
    """What is said of a refusal until it is confirmed or disproved; the first line may be the card's title."""
    return texts("status.checking", service=texts(f"service.{fault.service}")), texts("status.checking.what")


def _shown(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[CardElement]:
    """How soon Teams shows a change, and what proves it; else when it will, or whom it still shows."""
    if _is_closed(view):
        said = [_closed(texts, view)] if faults and _stops(faults[0], view.status) else []
        return [note("default", "🌙", *said, texts("status.closed.how"))]
    if not view.integration.enabled:
        waiting, health = view.status.waiting, view.status.service_health
        return [note("warning", "👀", clearing(texts, waiting, health))] if waiting else []
    if faults or view.status.store_fault:
        return []
    read_at = view.status.proof.read_at
    read = texts.when(read_at, view.now, view.zone) if read_at else ""
    answered = _last_answer(texts, view, Service.CLOUDLINK)
    page = Link(texts("link.permissions"), view.links.registration(view.integration.client_id, "CallAnAPI"))
    return [freshness(texts, view.status, answered, _since(texts, view)), *proof(texts, view.status, read, page)]


def _services(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[CardElement]:
    """The services that work, as of when they last answered; none while nothing can be stored."""
    if view.status.store_fault:
        return []
    faulty = {fault.service for fault in faults}
    working = [each.service for each in known(view.status.service_health) if each.service not in faulty]
    named = " · ".join(f"✅{NBSP}{_named(texts, view, service)}" for service in working)
    return [plain(f"{texts('health.working')} {named}")] if named else []


def _named(texts: Texts, view: StatusView, service: Service) -> str:
    """The service, with the time of its last answer if that is not recent."""
    name, when = texts(f"service.{service}"), _last_answer(texts, view, service)
    return texts("health.answered", service=name, when=when) if when else name


def _last_answer(texts: Texts, view: StatusView, service: Service) -> str:
    """When the service last answered, empty if that is recent or not known."""
    at = view.status.answered.get(service)
    return texts.when(at, view.now, view.zone) if at and at + RECENT < view.now else ""


def _since(texts: Texts, view: StatusView) -> list[str]:
    """Nothing where what was read does not confirm it."""
    since, read = view.status.shown_since, view.status.proof
    is_denied = read.refused or any(effect is Effect.NOT_SHOWN for effect, *_ in read.others)
    if since is None or is_denied:
        return []
    return [texts("status.shown_since", since=texts.since(since, view.now, view.zone))]


def _figures(texts: Texts, status: Status, faults: Sequence[_Problem]) -> CardElement:
    """Who is on the phone is not followed while presence is not enabled."""
    key = "status.matched" if status.in_scope == status.people else "status.matched.scope"
    matched = (texts.plural(key, status.in_scope), texts.number(status.matched))
    if not (status.integration.enabled and _is_known(status, faults)):
        return tiles(matched)
    calls = (texts("status.in_a_call"), texts.number(status.in_a_call))
    return tiles(matched, calls, (texts("status.waiting"), texts.number(status.waiting)))


def _is_known(status: Status, faults: Sequence[_Problem]) -> bool:
    """Whether it is known who is on the phone: CloudLink says it, and what it says can be stored."""
    return not status.store_fault and all(fault.service is not Service.CLOUDLINK for fault in faults)


def _picture(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[CardElement]:
    """The last day always; people only while they are shown, and it is known who is on the phone."""
    are_shown = view.integration.enabled and not view.integration.closed
    now = people_now(texts, view.status) if are_shown and _is_known(view.status, faults) else []
    return [*now, *last_day(texts, view.status.day, view.zone)]


def _not_shown(texts: Texts, status: Status) -> list[CardElement]:
    """How many people cannot be shown, and why; the names are in the preview."""
    if not status.not_shown:
        return []
    left_out = sum(count for _, count in status.not_shown)
    reasons = [f"{texts.number(count)} · {texts(f'unmatched.{reason}')}" for reason, count in status.not_shown]
    return [note("warning", "👤", texts.plural("status.not_shown", left_out), *reasons)]


def _facts(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[CardElement]:
    """When something was sent last, and until when the credential is valid, unless a fault says that it is not."""
    status = view.status
    changed = status.last_change_at
    last = texts.when(changed, view.now, view.zone) if changed else texts("status.no_change_yet")
    elements: list[CardElement] = [fact(texts("status.last_change"), last)]
    if not any(fault.service is Service.ENTRA and fault.error.fault not in OUTAGES for fault in faults):
        today = view.now.date()
        elements += expiry(texts, view.integration, today, may_edit=view.may_edit, form_errors=view.form_errors)
    if not faults and view.integration.credential is CredentialKind.SECRET:
        elements.append(text(texts("status.recommend_certificate"), subtle=True))
    if status.unknown_states:
        elements.append(_unknown_states(texts, status.unknown_states))
    return elements


def _unknown_states(texts: Texts, states: Sequence[tuple[str, int]]) -> Container:
    named = [f"{capped(name, 40)} × {texts.number(count)}" for name, count in states[:UNKNOWN_SHOWN]]
    more = len(states) - len(named)
    if more:
        named.append(texts.plural("status.more_states", more))
    return note("warning", "❔", texts("status.unknown_states"), ", ".join(named))


def _monitors(texts: Texts, status: Status) -> list[CardElement]:
    """How many presence monitors still need the new secret; the text names the command that lists them."""
    if not status.monitors_open:
        return []
    return [note("warning", "📡", texts.plural("monitors.open", status.monitors_open), texts("monitors.say"))]


def _update(texts: Texts, status: Status) -> list[CardElement]:
    if status.update is None:
        return []
    return [note("accent", "✨", texts("update.available", version=texts.number(status.update)))]


def _actions(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[Action]:
    """The remedy, or else what is most likely wanted, first; the last ones are left out if there are too many."""
    status, data = view.status, {"integration": view.integration.id}
    wanted = [("button.enable", "enable.preview")] if not view.integration.enabled else []
    wanted += [("button.install_update", "update.show")] if status.update else []
    wanted += [("button.scope", "scope.show")] if status.groups_unread else []
    wanted += [("button.refresh", "status.show"), ("button.test", "test.run")]
    wanted += [("button.left_out", "people.left_out")] if status.not_shown else [("button.people", "people.show")]
    wanted += [("button.schedule", "schedule.show")] if _is_closed(view) else []
    wanted += [("button.disable", "disable.ask")] if view.integration.enabled else []
    found = _remedies(texts, view, faults)
    verbs = {getattr(action, "verb", "") for action in found}
    for key, verb in wanted:
        if verb not in verbs:
            found.append(button(texts(key), verb, data, style=None if found else "positive"))
    return found


def _renewal(texts: Texts, view: StatusView) -> list[Action]:
    integration = view.integration
    if not expires_soon(integration, view.now.date()):
        return []
    return [renewal(texts, integration.id, certificate=integration.credential is CredentialKind.CERTIFICATE)]


def _remedies(texts: Texts, view: StatusView, faults: Sequence[_Problem]) -> list[Action]:
    data = {"integration": view.integration.id}
    if not faults:
        is_missed = view.integration.enabled and view.status.freshness is Freshness.MISSED
        if is_missed:
            return [button(texts("button.test"), "test.run", data, style="positive")]
        return _renewal(texts, view)
    first = faults[0]
    if is_suspected(first.error):
        return []
    said = view.in_words(texts, first.error)
    return remedies(texts, first.error, first.service, said, view.integration.id)
