"""Mappings for some people: their list in order, and which one applies to a person."""

from collections.abc import Mapping

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.fields import MAX_NAME
from bot.cards.parts import button, capped, card, header, note, pressable, row, text
from bot.cards.people.scope import rules_in_short
from bot.cards.people.words import whose
from bot.languages import Texts
from sync.domain.model import FurtherMapping, IntegrationView
from sync.domain.people import PersonCard
from sync.presence.further_mappings import MAX_FURTHER

BY_RULES = "rules"
"""The choice to let the rules decide."""

OWN = "own"
"""The choice of the integration's own mapping, whatever the rules say (``storage.queries.people.mapping.OWN``)."""


def listed(
    texts: Texts, view: IntegrationView, counts: Mapping[str, int], *, said: str = "", refused: str = ""
) -> Card:
    """``counts`` is how many people each applies to; ``refused`` is why none was added."""
    title = texts("further.title")
    body: list[CardElement] = [header("🔀", title, capped(view.name))]
    if said:
        body.append(note("good", "✅", said))
    if refused:
        body.append(
            note(
                "attention", "❌", texts(f"further.{refused}"), texts(f"further.{refused}.remedy", most=MAX_FURTHER)
            )
        )
    body.append(text(texts("further.how")))
    for number, each in enumerate(view.further, 1):
        shows = pressable("mapping.show", {"integration": view.id, "mapping": each.id})
        said = _whom(texts, each, counts.get(each.id, 0))
        body.append(row(f"{number}.", capped(each.name, 60), said, select=shows, spacing="Default"))
    own = pressable("mapping.show", {"integration": view.id})
    body.append(row("🔀", texts("further.own"), texts("further.own.who"), select=own, spacing="Default"))
    actions: list[Action] = [button(texts("button.people"), "people.show", {"integration": view.id})]
    if len(view.further) < MAX_FURTHER:
        body.append(_name(texts))
        data = {"integration": view.id, "revision": str(view.revision)}
        actions.insert(0, button(texts("button.add_mapping"), "mapping.add", data, style="positive", inputs=True))
    return card(texts, title, body, actions)


def _whom(texts: Texts, mapping: FurtherMapping, count: int) -> str:
    """How many people have it, and by which rules."""
    said = (texts.plural("further.people", count), rules_in_short(texts, mapping.rules))
    return " · ".join(each for each in said if each)


def _name(texts: Texts) -> TextInput:
    label = texts("further.name")
    required = texts("check.required", field=label)
    return TextInput(
        id="name",
        label=label,
        placeholder=texts("further.example"),
        is_required=True,
        error_message=required,
        max_length=MAX_NAME,
        spacing="Large",
    )


def of_person(texts: Texts, person: PersonCard) -> Card:
    """Which mapping is to apply to a person."""
    line, title = person.line, texts("further.person")
    by_rules = Choice(title=texts("further.by_rules"), value=BY_RULES)
    own = Choice(title=texts("further.own"), value=OWN)
    choices = [by_rules, own, *(Choice(title=capped(each.name, 60), value=each.id) for each in person.further)]
    data = {"integration": line.integration_id, "person": line.id}
    body: list[CardElement] = [header("🔀", title, whose(line)), text(texts("further.person.how"))]
    actions: list[Action] = []
    if person.further:
        now, label = line.chosen_mapping or BY_RULES, texts("further.which")
        body.append(ChoiceSetInput(id="mapping", label=label, choices=choices, value=now, style="compact"))
        setting = {**data, "choices": str(line.choices)}
        actions.append(button(texts("button.save"), "mapping.choose", setting, style="positive", inputs=True))
    else:
        body.append(note("default", "ℹ️", texts("further.none"), texts("further.none.remedy")))
    actions.append(button(texts("button.some_people"), "mapping.some", {"integration": line.integration_id}))
    return card(texts, title, body, [*actions, button(texts("button.cancel"), "people.open", data)])
