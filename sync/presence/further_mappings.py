"""Mappings of line states for some people: as they are stored with an integration, and as SQL applies them.

Which one applies to a person is stored with the person: those chosen by name come first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.queries.people.mapping import Mappings, Presences
from sync.domain.model import FurtherMapping
from sync.domain.presence import BUSY_LINES
from sync.presence.mapping import Overrides, presence_of

MAX_FURTHER = 10
"""Further mappings of an integration: each is read with every event."""


def further_of(stored: Iterable[Mapping[str, Any]]) -> tuple[FurtherMapping, ...]:
    """The further mappings of an integration, in their order."""
    return tuple(FurtherMapping(each["id"], each["name"], each["overrides"]) for each in stored)


def stored_of(further: Sequence[FurtherMapping]) -> list[dict[str, Any]]:
    return [{"id": each.id, "name": each.name, "overrides": dict(each.overrides)} for each in further]


def mappings_of(own: Overrides, further: Sequence[FurtherMapping]) -> Mappings:
    return Mappings(_presences(own), {each.id: _presences(each.overrides) for each in further})


def _presences(overrides: Overrides) -> Presences:
    shown = {state: presence_of(state, overrides) for state in BUSY_LINES}
    return {state.value: presence.value if presence else None for state, presence in shown.items()}
