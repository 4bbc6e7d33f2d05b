"""Whom a mapping for some people selects by rules: the form, and the dry run of what was entered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import with_errors
from bot.cards.parts import button, capped, card, header, note, plain, row, text, tiles
from bot.cards.people.scope import Typed, bare, first_of, rule_inputs, rules_said, someone_row, unread_groups
from bot.languages import Texts
from sync.domain.model import Concerned, FurtherMapping, IntegrationView, Rules
from sync.integrations.mapping_editor import RulesTrial, WantedRules
from sync.people.scope.rules import ScopeView, Side, Someone

NAMED_NOW = 3
"""People on the phone whom a dry run names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A further mapping of an integration."""

    view: IntegrationView
    mapping: FurtherMapping

    @property
    def place(self) -> int:
        return [each.id for each in self.view.further].index(self.mapping.id) + 1

    @property
    def about(self) -> str:
        return f"{capped(self.view.name, 40)} · {capped(self.mapping.name, 40)}"


def form(
    texts: Texts, of: Subject, found: ScopeView, typed: Typed, place: int, errors: Sequence[FormError] = ()
) -> Card:
    title = texts("rules.title")
    body: list[CardElement] = [header("👥", title, of.about), *unread_groups(texts, found)]
    body.append(text(texts("rules.how")))
    inputs: list[TextInput | ChoiceSetInput] = rule_inputs(texts, found, typed)
    if len(of.view.further) > 1:
        inputs.append(_places(texts, of, place))
    body += with_errors(inputs, errors)
    data = {"integration": of.view.id, "mapping": of.mapping.id}
    revised = {**data, "revision": str(of.view.revision)}
    actions: list[Action] = [
        button(texts("button.preview"), "mapping.rules_preview", revised, style="positive", inputs=True),
        button(texts("button.some_people"), "mapping.some", {"integration": of.view.id}),
    ]
    return card(texts, title, body, actions, wide=True)


def _places(texts: Texts, of: Subject, place: int) -> ChoiceSetInput:
    others = [each for each in of.view.further if each.id != of.mapping.id]
    choices = [Choice(title=texts("rules.place.first"), value="1")]
    choices += [
        Choice(title=texts("rules.place.after", mapping=capped(each.name, 40)), value=str(number))
        for number, each in enumerate(others, 2)
    ]
    label = texts("rules.place")
    return ChoiceSetInput(id="place", label=label, choices=choices, value=str(place), style="compact")


def dry_run(texts: Texts, of: Subject, wanted: WantedRules, trial: RulesTrial, found: ScopeView) -> Card:
    """Who gets the mapping and who no longer, and what Teams would change now, before it is saved."""
    title, changes = texts("rules.dry_run"), trial.changes
    body: list[CardElement] = [
        header("👥", title, of.about),
        *_said(texts, wanted.rules, found),
        tiles(
            (texts("rules.come"), texts.number(changes.come)),
            (texts("rules.go"), texts.number(changes.go)),
            (texts("rules.then"), texts.number(changes.shown)),
        ),
    ]
    data = _carried(of.view, wanted)
    actions: list[Action] = [button(texts("button.save"), "mapping.rules_save", data, style="positive")]
    for side, count, first in (
        (Side.COME, changes.come, changes.first_come),
        (Side.GO, changes.go, changes.first_go),
    ):
        body += first_of(texts, f"rules.{side}.who", side, count, first)
        if count > len(first):
            actions.append(button(texts(f"rules.all_{side}"), "mapping.rules_page", {**data, "side": side.value}))
    body += _now(texts, trial)
    body.append(note("default", "💾", texts("scope.nothing_saved")))
    return card(texts, title, body, [*actions, _change(texts, data)], wide=True)


def _now(texts: Texts, trial: RulesTrial) -> list[CardElement]:
    """How many people on the phone Teams would show differently now, and the first of them."""
    said = texts.plural("rules.now", trial.now) if trial.now else texts("rules.now.none")
    body: list[CardElement] = [note("default", "📞", said)]
    body += [_concerned(texts, each) for each in trial.first_now[:NAMED_NOW]]
    more = trial.now - NAMED_NOW
    return [*body, plain(texts.plural("preview.more", more), subtle=True)] if more > 0 else body


def _concerned(texts: Texts, one: Concerned) -> CardElement:
    before, after = (
        texts(f"mapping.show.{presence.activity}") if presence else texts("mapping.show.clear")
        for presence in (one.before, one.after)
    )
    return row("📞", capped(one.name, 50), f"{texts(f'line.{one.line}')}: {before} → {after}")


def page(
    texts: Texts, of: Subject, wanted: WantedRules, side: Side, people: Sequence[Someone], *, has_more: bool
) -> Card:
    """Everyone who gets the mapping, or no longer, ten a page."""
    title = texts(f"rules.{side}.who")
    body: list[CardElement] = [header("👥", title, of.about)]
    body += [someone_row(side, each) for each in people] or [text(texts("people.empty"))]
    data = _carried(of.view, wanted)
    body.append(note("default", "💾", texts("scope.nothing_saved")))
    actions: list[Action] = [button(texts("button.save"), "mapping.rules_save", data, style="positive")]
    if has_more:
        after = {**data, "side": side.value, "after": people[-1].id}
        actions.append(button(texts("button.more"), "mapping.rules_page", after))
    return card(texts, title, body, [*actions, _change(texts, data)], wide=True)


def _change(texts: Texts, data: Mapping[str, str]) -> Action:
    return button(texts("button.change"), "mapping.rules_change", data)


def _said(texts: Texts, rules: Rules, found: ScopeView) -> list[CardElement]:
    return rules_said(texts, rules, found.sites) or [text(texts("rules.none"))]


def _carried(view: IntegrationView, wanted: WantedRules) -> Mapping[str, str]:
    typed = {name: value for name, value in asdict(Typed.of_rules(bare(wanted.rules))).items() if value}
    of = {"integration": view.id, "mapping": wanted.mapping_id, "revision": str(view.revision)}
    return {**typed, **of, "place": str(wanted.place)}
