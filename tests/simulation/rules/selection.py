"""Whom rules select, of a scope or a mapping: the oracle's part of the rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from tests.simulation.models.phones import Colleague

Rule = Mapping[str, str]


@dataclass(frozen=True)
class Member:
    """A colleague, with the groups of their Teams user; None: they have none."""

    colleague: Colleague
    groups: Collection[str] | None


def selects(rule: Rule, member: Member) -> bool:
    """By the address, the site or the extension in CloudLink, or by a group of the Teams user."""
    value, colleague = rule["value"], member.colleague
    match rule["kind"]:
        case "address":
            return fnmatch(colleague.address.lower(), value)
        case "site":
            return colleague.site == value
        case "group":
            return value in (member.groups or ())
    first, _, last = value.partition("-")
    extension = colleague.extension or ""
    return len(extension) == len(first) and int(first) <= int(extension) <= int(last or first)


def is_inside(scope: Mapping[str, Any], member: Member) -> bool:
    """Whether a scope includes them. Without a Teams user nobody can say that a group does not."""
    if scope["mode"] == "everyone":
        return True
    rules = scope["rules"]
    if scope["mode"] == "only" and member.groups is None and any(rule["kind"] == "group" for rule in rules):
        return True
    is_named = any(selects(rule, member) for rule in rules)
    return is_named is bool(scope["mode"] == "only")


OWN = "own"
"""Chosen for someone: the mapping of all, whatever the rules say."""


def applying(mappings: Sequence[Mapping[str, Any]], chosen: str, member: Member) -> Mapping[str, Any] | None:
    """The one chosen for them; or else the first in the order with a rule that selects them; None: that of all."""
    if chosen == OWN:
        return None
    by_name = (each for each in mappings if each["name"] == chosen)
    by_rule = (each for each in mappings if any(selects(rule, member) for rule in each["rules"]))
    return next(by_name, None) or next(by_rule, None)
