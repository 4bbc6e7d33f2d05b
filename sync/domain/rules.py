"""Rules that select people, for a scope or a mapping. In SQL: ``storage.queries.people.selection``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RuleKind(StrEnum):
    EXTENSIONS = "extensions"
    ADDRESS = "address"
    SITE = "site"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Rule:
    """Selects people.

    ``value`` is a range of extensions such as ``200-299`` or a single one, a pattern of addresses such as
    ``*@sales.example``, the id of a site, or the object id of a group, whose ``name`` people know.
    """

    kind: RuleKind
    value: str
    name: str = ""

    @property
    def key(self) -> str:
        """How the rule is named where it decided about a person."""
        return f"{self.kind}:{self.value}"

    @property
    def said(self) -> str:
        return self.name or self.value


Rules = tuple[Rule, ...]


def rules_of(stored: Iterable[Mapping[str, Any]]) -> Rules:
    """Rules as ``stored_rules`` wrote them."""
    return tuple(Rule(RuleKind(each["kind"]), each["value"], each["name"]) for each in stored)


def stored_rules(rules: Rules) -> list[dict[str, str]]:
    return [{"kind": rule.kind.value, "value": rule.value, "name": rule.name} for rule in rules]


def of_kind(rules: Rules, kind: RuleKind) -> Rules:
    return tuple(rule for rule in rules if rule.kind is kind)
