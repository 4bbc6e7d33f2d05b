"""Mappings of line states for some people: as they are stored with an integration, and as SQL applies them.

Which one applies to a person is stored with the person: the one chosen for them, or else the first, in the
administrator's order, that has a rule which selects them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.queries.people.mapping import DND, WITHOUT_DND, Mappings, Presences
from storage.queries.people.scope import selected_by_any
from storage.tables.integrations import Integration
from sync.domain.model import FurtherMapping, Rules, rules_of, stored_rules
from sync.domain.presence import LineState
from sync.presence.mapping import MAPPABLE, Leave, Overrides, choice_of, presence_of

MAX_FURTHER = 10
"""Further mappings of an integration: each is read with every event."""


def further_of(stored: Iterable[Mapping[str, Any]]) -> tuple[FurtherMapping, ...]:
    """The further mappings of an integration, in their order."""
    return tuple(
        FurtherMapping(each["id"], each["name"], each["overrides"], rules_of(each.get("rules", ())))
        for each in stored
    )


def stored_of(further: Sequence[FurtherMapping]) -> list[dict[str, Any]]:
    return [
        {"id": each.id, "name": each.name, "overrides": dict(each.overrides), "rules": stored_rules(each.rules)}
        for each in further
    ]


def mappings_of(integration_id: str, own: Overrides, further: Sequence[FurtherMapping]) -> Mappings:
    selected = {each.id: selected_by_any(integration_id, plain(each.rules)) for each in further if each.rules}
    return Mappings(_presences(own), {each.id: _presences(each.overrides) for each in further}, selected)


def stored_mappings(integration: Integration) -> Mappings:
    """Those that an integration has."""
    return mappings_of(integration.id, integration.mapping, further_of(integration.further))


def plain(rules: Rules) -> list[tuple[str, str]]:
    """Rules as SQL takes them."""
    return [(rule.kind.value, rule.value) for rule in rules]


def _presences(overrides: Overrides) -> Presences:
    shown = {state: presence_of(state, overrides) for state in MAPPABLE}
    presences = {state.value: presence.value if presence else None for state, presence in shown.items()}
    is_left = choice_of(LineState.DO_NOT_DISTURB, overrides) is Leave.ALONE
    return presences | ({DND: WITHOUT_DND} if is_left else {})
