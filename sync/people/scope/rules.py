"""Who is to be shown in Teams: everyone, only those whom rules select, or everyone but those. Plain values.

A rule selects people by extension, site, address or membership in a group of Entra ID. What it means in SQL is in
``storage.queries.people.scope``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import CloudLinkPresenceError
from core.text import visible
from sync.domain.model import Rule, RuleKind, Rules, rules_of, stored_rules

MAX_RULES = 20
MAX_PATTERN = 100
MAX_BYTES = 800
"""Of the values of all rules: the buttons of a card carry them."""

_EXTENSIONS = re.compile(r"(\d{1,20})(?:\s*[-–]\s*(\d{1,20}))?", re.ASCII)
_SEPARATORS = re.compile(r"[,;\n]")


class ScopeMode(StrEnum):
    EVERYONE = "everyone"
    ONLY = "only"
    EXCEPT = "except"


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is to be shown; for everyone without ``rules``. ``may_opt_out``: people may end it for themselves."""

    mode: ScopeMode = ScopeMode.EVERYONE
    rules: Rules = ()
    may_opt_out: bool = True

    def as_json(self) -> dict[str, Any]:
        """As it is stored; ``scope_of`` reads it."""
        return {"mode": self.mode.value, "rules": stored_rules(self.rules), "may_opt_out": self.may_opt_out}


class Side(StrEnum):
    """Of a change of the scope: who is shown from then on, and who no longer."""

    COME = "come"
    GO = "go"


@dataclass(frozen=True, slots=True)
class Someone:
    """A person in a dry run."""

    id: str
    name: str
    extension: str


def someones(found: Iterable[tuple[str, str, str | None]]) -> tuple[Someone, ...]:
    """People as SQL gives them."""
    return tuple(Someone(person_id, name, extension or "") for person_id, name, extension in found)


@dataclass(frozen=True, slots=True)
class Changes:
    """What other rules would change: how many come and go, how many are inside then, and the first by name."""

    come: int
    go: int
    shown: int
    first_come: tuple[Someone, ...] = ()
    first_go: tuple[Someone, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A site of the CloudLink account, which gives it no name: how many people it has, and one of them."""

    id: str
    people: int
    someone: str


@dataclass(frozen=True, slots=True)
class UnreadGroup:
    """A group whose members could not be read since ``read_at``."""

    name: str
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScopeView:
    """The scope of an integration, how many are ``shown``, and what there is to choose from."""

    scope: Scope
    revision: int
    shown: int
    sites: tuple[Site, ...] = ()
    unread: tuple[UnreadGroup, ...] = ()


class RuleFault(StrEnum):
    """What is wrong with a rule as it was entered."""

    EXTENSIONS_MALFORMED = "extensions_malformed"
    EXTENSIONS_BACKWARDS = "extensions_backwards"
    EXTENSIONS_WIDTHS = "extensions_widths"
    ADDRESS_EMPTY = "address_empty"
    ADDRESS_MALFORMED = "address_malformed"
    SITE_UNKNOWN = "site_unknown"
    GROUP_UNKNOWN = "group_unknown"
    GROUP_AMBIGUOUS = "group_ambiguous"
    GROUP_HIDDEN = "group_hidden"
    NO_RULES = "no_rules"
    TOO_MANY = "too_many"


class RuleRefused(CloudLinkPresenceError):
    """A rule cannot be used; ``kind`` is None for the rules as a whole, ``typed`` what was entered."""

    def __init__(self, fault: RuleFault, kind: RuleKind | None = None, typed: str = "") -> None:
        super().__init__(fault)
        self.fault, self.kind, self.typed = fault, kind, typed


def scope_of(stored: Mapping[str, Any]) -> Scope:
    """The scope as ``Scope.as_json`` wrote it; an empty one means everyone."""
    mode = ScopeMode(stored.get("mode", ScopeMode.EVERYONE))
    return Scope(mode, rules_of(stored.get("rules", ())), bool(stored.get("may_opt_out", True)))


def scope_from(mode: ScopeMode, rules: Iterable[Rule], *, may_opt_out: bool) -> Scope:
    """A scope to be stored, each rule once. Raises ``RuleRefused`` for none, or too many."""
    if mode is ScopeMode.EVERYONE:
        return Scope(may_opt_out=may_opt_out)
    unique = limited(rules)
    if not unique:
        raise RuleRefused(RuleFault.NO_RULES)
    return Scope(mode, unique, may_opt_out)


def limited(rules: Iterable[Rule]) -> Rules:
    """Each rule once. Raises ``RuleRefused`` for too many."""
    unique = tuple(dict.fromkeys(rules))
    if len(unique) > MAX_RULES or sum(len(rule.value.encode()) for rule in unique) > MAX_BYTES:
        raise RuleRefused(RuleFault.TOO_MANY)
    return unique


def parse_extensions(typed: str) -> list[Rule]:
    """Ranges and single extensions, separated by commas, semicolons or line ends. Raises ``RuleRefused``."""
    return [_extensions(part) for part in separated(typed)]


def parse_addresses(typed: str) -> list[Rule]:
    """Patterns in which ``*`` is any text, separated like extensions. Raises ``RuleRefused``."""
    return [_address(part) for part in separated(typed)]


def separated(typed: str) -> list[str]:
    """The parts of a list as people type it, without the empty ones."""
    parts = (visible(part) for part in _SEPARATORS.split(typed.replace("\r", "\n")))
    return [part for part in parts if part]


def _extensions(part: str) -> Rule:
    found = _EXTENSIONS.fullmatch(part)
    if found is None:
        raise RuleRefused(RuleFault.EXTENSIONS_MALFORMED, RuleKind.EXTENSIONS, part)
    first, last = found[1], found[2] or found[1]
    if len(first) != len(last):
        raise RuleRefused(RuleFault.EXTENSIONS_WIDTHS, RuleKind.EXTENSIONS, part)
    if first > last:
        raise RuleRefused(RuleFault.EXTENSIONS_BACKWARDS, RuleKind.EXTENSIONS, part)
    return Rule(RuleKind.EXTENSIONS, first if first == last else f"{first}-{last}")


def _address(part: str) -> Rule:
    pattern = re.sub(r"\*+", "*", part.casefold())
    if not pattern.strip("*@."):
        raise RuleRefused(RuleFault.ADDRESS_EMPTY, RuleKind.ADDRESS, part)
    if " " in pattern or len(pattern) > MAX_PATTERN or not ("@" in pattern or "*" in pattern):
        raise RuleRefused(RuleFault.ADDRESS_MALFORMED, RuleKind.ADDRESS, part)
    return Rule(RuleKind.ADDRESS, pattern)
