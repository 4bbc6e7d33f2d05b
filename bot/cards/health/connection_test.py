"""The connection test: each step with its duration and, if it failed, how to fix it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from microsoft_teams.cards.core import Action, CardElement, ExecuteAction

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.health.remedies import remedies
from bot.cards.parts import MAX_ACTIONS, button, capped, card, header, note, row, text
from bot.languages import Texts
from sync.domain.model import IntegrationView, Probe

WAY_IN = "way_in"
"""The step that is not tried where the server has no public address."""


def testing(texts: Texts, integration: IntegrationView) -> Card:
    title = texts("test.title")
    said = [text(texts("test.wait")), text(texts("checking.interrupted"), subtle=True)]
    return card(texts, title, [header("⏳", title, capped(integration.name)), *said])


def tested(
    texts: Texts,
    integration: IntegrationView,
    probes: Sequence[Probe],
    form_errors: Mapping[int, FormError],
    doubt: str,
) -> Card:
    """Each step with its time; ``form_errors`` by the step's place in ``probes``.

    ``doubt`` is what no step shows though each passed, empty for nothing.
    """
    title = texts("test.title")
    body: list[CardElement] = [
        header("🔌", title, capped(integration.name)),
        _verdict(texts, probes, doubt),
    ]
    shown = _limit_links(_without_repeats(form_errors))
    for place, probe in enumerate(probes):
        body.extend(_probe(texts, probe, shown.get(place)))
    return card(texts, title, body, _actions(texts, integration, probes, form_errors), wide=True)


def _verdict(texts: Texts, probes: Sequence[Probe], doubt: str) -> CardElement:
    """A list that is read and empty passes, too, but is no sign that everything works."""
    failed = sum(1 for probe in probes if probe.error)
    empty = texts("cloudlink.no_users") if any(probe.count == 0 for probe in probes) else ""
    remarks = [remark for remark in (empty, doubt) if remark]
    if failed:
        return note("attention", "❌", texts.plural("test.failed", failed), *remarks)
    if remarks:
        return note("warning", "⚠️", texts("test.passed.but"), *remarks)
    passed = "test.passed" if all(probe.tried for probe in probes) else "test.passed.tried"
    return note("good", "✅", texts(passed))


def _actions(
    texts: Texts, integration: IntegrationView, probes: Sequence[Probe], form_errors: Mapping[int, FormError]
) -> list[Action]:
    """The remedy of the first failure that has one in this chat; else testing again."""
    data = {"integration": integration.id}
    remedy = _remedy(texts, integration, probes, form_errors)
    again = button(texts("button.test_again"), "test.run", data, style=None if remedy else "positive")
    return [*remedy, again, button(texts("button.status"), "status.show", data)]


def _remedy(
    texts: Texts, integration: IntegrationView, probes: Sequence[Probe], form_errors: Mapping[int, FormError]
) -> list[Action]:
    for place, probe in enumerate(probes):
        if probe.error:
            main, *_ = remedies(texts, probe.error, probe.service, form_errors[place], integration.id)
            if isinstance(main, ExecuteAction) and main.verb != "test.run":
                return [main]
    return []


def _without_repeats(form_errors: Mapping[int, FormError]) -> dict[int, FormError]:
    """An error that occurs in several steps is shown only with the first of them."""
    first = {form_errors[place]: place for place in sorted(form_errors, reverse=True)}
    return {place: form_error for form_error, place in first.items()}


def _limit_links(form_errors: Mapping[int, FormError]) -> dict[int, FormError]:
    """A card takes six buttons, three of which are its own; further links are left out."""
    linked = sorted(form_errors)[: MAX_ACTIONS - 3]
    return {place: said if place in linked else replace(said, link=None) for place, said in form_errors.items()}


def _probe(texts: Texts, probe: Probe, form_error: FormError | None) -> list[CardElement]:
    key = f"probe.{probe.step}"
    name = texts(key) if key in texts.keys else capped(probe.step)
    took = texts.milliseconds(probe.seconds) if probe.tried else texts("probe.not_tried")
    symbol = "⬜" if not probe.tried else "❌" if probe.error else "✅"
    why = texts("status.polling.no_url") if probe.step == WAY_IN and not probe.tried else ""
    outcome = row(symbol, name, f"{texts(f'service.{probe.service}')} · {took}", why)
    if form_error is None:
        return [outcome]
    link = None if probe.step == WAY_IN else form_error.link
    return [outcome, note("attention", "🛠️", form_error.sentence, form_error.remedy, link=link)]
