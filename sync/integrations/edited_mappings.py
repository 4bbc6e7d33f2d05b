"""An integration's mappings as an administrator edits them. Of a mapping that is gone: ``LookupError``."""

from dataclasses import dataclass, replace
from uuid import uuid4

from storage.queries.people.mapping import Mappings
from storage.tables.integrations import Integration
from sync.domain.model import FurtherMapping, Rules
from sync.domain.presence import RESTING, Presence
from sync.presence.further_mappings import MAX_FURTHER, further_of, mappings_of
from sync.presence.mapping import Overrides, presence_of


@dataclass(frozen=True, slots=True)
class EditedMappings:
    own: Overrides
    further: tuple[FurtherMapping, ...]

    @classmethod
    def of(cls, integration: Integration) -> "EditedMappings":
        return cls(integration.mapping, further_of(integration.further))

    @property
    def choosing(self) -> list[tuple[str, Rules]]:
        """What decides which one applies to a person."""
        return [(each.id, each.rules) for each in self.further]

    @property
    def at_rest(self) -> list[Presence | None]:
        """What is shown of those whose phones do nothing."""
        shown = (self.own, *(each.overrides for each in self.further))
        return [presence_of(state, each) for each in shown for state in RESTING]

    def in_sql(self, integration_id: str) -> Mappings:
        return mappings_of(integration_id, self.own, self.further)

    def named(self, mapping_id: str) -> FurtherMapping:
        return {each.id: each for each in self.further}[mapping_id]

    def having(self, mapping_id: str, overrides: Overrides) -> "EditedMappings":
        """With another choice in one of them; an empty id is the integration's own."""
        if not mapping_id:
            return replace(self, own=overrides)
        return self._with(replace(self.named(mapping_id), overrides=overrides))

    def selecting(self, mapping_id: str, rules: Rules, place: int) -> "EditedMappings":
        """With other rules in one of them, at another place in the order; 1 is the first."""
        changed = replace(self.named(mapping_id), rules=rules)
        others = [each for each in self.further if each.id != mapping_id]
        others.insert(max(place, 1) - 1, changed)
        return replace(self, further=tuple(others))

    def added(self, name: str) -> "EditedMappings":
        """With one more, which begins as the integration's own."""
        if len(self.further) >= MAX_FURTHER:
            raise LookupError
        return replace(self, further=(*self.further, FurtherMapping(uuid4().hex, name, self.own)))

    def without(self, mapping_id: str) -> "EditedMappings":
        self.named(mapping_id)
        return replace(self, further=tuple(each for each in self.further if each.id != mapping_id))

    def _with(self, changed: FurtherMapping) -> "EditedMappings":
        return replace(self, further=tuple(changed if each.id == changed.id else each for each in self.further))
