"""An integration's status and connection test: symbol, colour and words, never colour alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from microsoft_teams.cards.core import Action, CardElement, Container

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.parts import MAX_ACTIONS, Style, button, capped, card, fact, header, note, row, text, tiles
from bot.languages import Texts
from sync.domain.errors import CredentialsWrong
from sync.domain.model import CredentialKind, Freshness, IntegrationView, Probe, Service, ServiceHealth, Status
from sync.domain.presence import Effect

UNKNOWN_SHOWN = 5
STATES_SHOWN = 4
WARN_DAYS = 30


def status_card(texts: Texts, status: Status, form_errors: Mapping[Service, FormError], now: datetime) -> Card:
    """``form_errors`` are the problems of unhealthy services, in words."""
    integration = status.integration
    body: list[CardElement] = [
        header("📊", texts("status.title"), capped(integration.name)),
        _running(texts, status),
        *(_service_health(texts, health, form_errors.get(health.service), now) for health in status.service_health),
        _figures(texts, status),
        *_proof(texts, status),
        *_not_shown(texts, status),
        *_facts(texts, status, now),
        *_monitors(texts, status),
        *_update(texts, status),
    ]
    links = sum(1 for form_error in form_errors.values() if form_error.link)
    actions = _actions(texts, status)[: MAX_ACTIONS - links]
    return card(texts, texts("status.title"), body, actions, wide=True)


def testing(texts: Texts, integration: IntegrationView) -> Card:
    title = texts("test.title")
    return card(
        texts, title, [header("⏳", title, capped(integration.name)), text(texts("test.wait"), subtle=True)]
    )


def tested(
    texts: Texts, integration: IntegrationView, probes: Sequence[Probe], form_errors: Mapping[int, FormError]
) -> Card:
    """Each step with its time; ``form_errors`` by the step's place in ``probes``."""
    title = texts("test.title")
    failed = sum(1 for probe in probes if probe.error)
    verdict = texts.plural("test.failed", failed) if failed else texts("test.passed")
    body: list[CardElement] = [
        header("🔌", title, capped(integration.name)),
        note("attention" if failed else "good", "❌" if failed else "✅", verdict),
    ]
    shown = _limit_links(_without_repeats(form_errors))
    for place, probe in enumerate(probes):
        body.extend(_probe(texts, probe, shown.get(place)))
    data = {"integration": integration.id}
    actions = [
        button(texts("button.test_again"), "test.run", data, style="positive"),
        button(texts("button.status"), "status.show", data),
    ]
    return card(texts, title, body, actions, wide=True)


def _without_repeats(form_errors: Mapping[int, FormError]) -> dict[int, FormError]:
    """An error that occurs in several steps is shown only with the first of them."""
    first = {form_errors[place]: place for place in sorted(form_errors, reverse=True)}
    return {place: form_error for form_error, place in first.items()}


def _limit_links(form_errors: Mapping[int, FormError]) -> dict[int, FormError]:
    """A card takes six buttons, two of which are its own; further links are left out."""
    linked = sorted(form_errors)[: MAX_ACTIONS - 2]
    return {place: said if place in linked else replace(said, link=None) for place, said in form_errors.items()}


def _running(texts: Texts, status: Status) -> Container:
    if not status.integration.enabled:
        return note("emphasis", "⏸️", texts("status.disabled"))
    if any(isinstance(health.error, CredentialsWrong) for health in status.service_health):
        return note("attention", "⏸️", texts("status.on_hold"), texts("status.on_hold.until"))
    if any(health.error for health in status.service_health):
        return note("warning", "⏳", texts("status.held_up"), texts("status.held_up.until"))
    return _freshness(texts, status)


def _freshness(texts: Texts, status: Status) -> Container:
    """How old a state can be, and why it is not newer."""
    if status.freshness is Freshness.LIVE:
        return note("good", "▶️", texts("status.enabled"), texts("status.live"))
    age = texts("status.polling", age=texts.span(status.worst_age))
    missed = status.freshness is Freshness.MISSED
    reason = texts(f"status.polling.{status.freshness}")
    return note("warning" if missed else "good", "▶️", texts("status.enabled"), age, reason)


def _service_health(texts: Texts, health: ServiceHealth, form_error: FormError | None, now: datetime) -> Container:
    name = texts(f"service.{health.service}")
    if health.error is None or form_error is None:
        return note("default", "✅", f"{name} · {texts('health.ok')}")
    wrong = isinstance(health.error, CredentialsWrong)
    state = texts("health.wrong" if wrong else "health.unavailable")
    since = texts("health.since", ago=texts.relative(health.since, now)) if health.since else ""
    style: Style = "attention" if wrong else "warning"
    symbol = "❌" if wrong else "⚠️"
    head = f"{name} · {state}"
    return note(style, symbol, head, form_error.sentence, form_error.remedy, since, link=form_error.link)


def _monitors(texts: Texts, status: Status) -> list[CardElement]:
    """How many presence monitors still need the new secret; the text names the command that lists them."""
    if not status.monitors_open:
        return []
    return [note("warning", "📡", texts.plural("monitors.open", status.monitors_open), texts("monitors.say"))]


def _figures(texts: Texts, status: Status) -> CardElement:
    return tiles(
        (texts.plural("status.matched", status.people), texts.number(status.matched)),
        (texts("status.in_a_call"), texts.number(status.in_a_call)),
        (texts("status.waiting"), texts.number(status.waiting)),
    )


def _proof(texts: Texts, status: Status) -> list[CardElement]:
    """What Teams was read to show, and how long changes take."""
    proof, delay = status.proof, status.delay
    lines: list[CardElement] = []
    if delay:
        half, most = texts.duration(delay.p50), texts.duration(delay.p95)
        lines = [text(texts("proof.delay", half=half, most=most), subtle=True)]
    if proof.refused:
        return [note("warning", "🔎", texts("proof.refused"), texts("proof.refused.remedy")), *lines]
    if not proof.checked:
        return lines
    title = texts.plural("proof.title", proof.checked, shown=texts.number(proof.shown))
    others = [
        texts.plural(f"proof.{effect}", count, state=state_of(texts, activity))
        for effect, activity, count in proof.others[:STATES_SHOWN]
    ]
    is_fault = any(effect is Effect.NOT_SHOWN for effect, *_ in proof.others)
    return [note("warning" if is_fault else "default", "🔎", title, *others), *lines]


def state_of(texts: Texts, activity: str) -> str:
    """Graph's word for what Teams shows, as Teams writes it; an unknown one as it is."""
    key = f"shown.{activity.casefold()}"
    return texts(key) if key in texts.keys else capped(activity, 40)


def _not_shown(texts: Texts, status: Status) -> list[CardElement]:
    """How many people cannot be shown, and why; the names are in the preview."""
    if not status.not_shown:
        return []
    left_out = sum(count for _, count in status.not_shown)
    reasons = [f"{texts.number(count)} · {texts(f'unmatched.{reason}')}" for reason, count in status.not_shown]
    return [note("warning", "👤", texts.plural("status.not_shown", left_out), *reasons)]


def _facts(texts: Texts, status: Status, now: datetime) -> list[CardElement]:
    changed = status.last_change_at
    elements: list[CardElement] = [
        fact(
            texts("status.last_change"), texts.relative(changed, now) if changed else texts("status.no_change_yet")
        ),
        expiry(texts, status.integration, now.date()),
    ]
    if status.integration.credential is CredentialKind.SECRET:
        elements.append(text(texts("status.recommend_certificate"), subtle=True))
    if status.unknown_states:
        elements.append(_unknown_states(texts, status.unknown_states))
    return elements


def expiry(texts: Texts, integration: IntegrationView, today: date) -> CardElement:
    """The credential's expiry date and its source; highlighted when it is near, past or unknown."""
    if integration.credential is CredentialKind.FEDERATED:
        return fact(texts("certificate.in_use"), texts("expiry.nothing"))
    expires_on = integration.secret_expires_on
    if expires_on is None:
        return note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy"))
    certificate = integration.credential is CredentialKind.CERTIFICATE
    days, day = (expires_on - today).days, texts.date(expires_on)
    source = texts(f"expiry.source.{integration.expiry_source}") if integration.expiry_source else ""
    if days < 0:
        past = texts("expiry.certificate.past" if certificate else "expiry.past", day=day)
        return note("attention", "❌", past, source)
    label = texts("expiry.certificate" if certificate else "expiry.label")
    description = texts.plural("expiry.fine", days, day=day)
    if days <= WARN_DAYS:
        soon = f"{label}: {description}" if certificate else texts.plural("expiry.soon", days, day=day)
        return note("warning", "⚠️", soon, source)
    return fact(label, f"{description} ({source})" if source else description)


def _unknown_states(texts: Texts, states: Sequence[tuple[str, int]]) -> Container:
    named = [f"{capped(name, 40)} × {texts.number(count)}" for name, count in states[:UNKNOWN_SHOWN]]
    more = len(states) - len(named)
    if more:
        named.append(texts.plural("status.more_states", more))
    return note("warning", "❔", texts("status.unknown_states"), ", ".join(named))


def _probe(texts: Texts, probe: Probe, form_error: FormError | None) -> list[CardElement]:
    key = f"probe.{probe.step}"
    name = texts(key) if key in texts.keys else capped(probe.step)
    description = f"{texts(f'service.{probe.service}')} · {texts.duration(probe.seconds)}"
    outcome = row("❌" if probe.error else "✅", name, description)
    if form_error is None:
        return [outcome]
    return [outcome, note("attention", "🛠️", form_error.sentence, form_error.remedy, link=form_error.link)]


def _update(texts: Texts, status: Status) -> list[CardElement]:
    if status.update is None:
        return []
    return [note("accent", "✨", texts("update.available", version=texts.number(status.update)))]


def _actions(texts: Texts, status: Status) -> list[Action]:
    """The most important first: if several errors have links, the last buttons are left out."""
    integration = status.integration
    data = {"integration": integration.id}
    turn = ("button.disable", "disable.ask") if integration.enabled else ("button.enable", "enable.preview")
    wanted = [("button.install_update", "update.show")] if status.update else []
    wanted.append(("button.refresh", "status.show"))
    return [
        *(
            button(texts(key), verb, data, style=None if place else "positive")
            for place, (key, verb) in enumerate(wanted)
        ),
        button(texts(turn[0]), turn[1], data),
        button(texts("button.test"), "test.run", data),
    ]
