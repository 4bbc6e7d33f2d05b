"""People whom rules select, in SQL: by extension, site, address or membership in a group."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import col, select

from storage.tables.directory import GroupMember
from storage.tables.people import Person

DIGITS = "0123456789"

Rule = tuple[str, str]
"""A value of ``sync.domain.rules.RuleKind``, and the rule's value."""


def selected_by_any(integration_id: str, rules: Sequence[Rule]) -> ColumnElement[bool]:
    """Whether one of the rules, of which there is at least one, selects a person."""
    return or_(*(selected_by(integration_id, rule) for rule in rules))


def selected_by(integration_id: str, rule: Rule) -> ColumnElement[bool]:
    """Whether a rule selects a person. A group selects nobody who has no account."""
    kind, value = rule
    match kind:
        case "extensions":
            return _in_range(value)
        case "address":
            return func.lower(col(Person.address)).like(_pattern(value), escape="\\")
        case "site":
            return col(Person.site_id) == value
    members = select(GroupMember.user_id).where(
        GroupMember.integration_id == integration_id, GroupMember.group_id == value
    )
    return func.coalesce(col(Person.teams_user_id).in_(members), False)


def _in_range(value: str) -> ColumnElement[bool]:
    """Digits of one length compare as numbers do."""
    first, _, last = value.partition("-")
    extension = col(Person.extension)
    return func.coalesce(
        and_(
            func.length(extension) == len(first),
            extension >= first,
            extension <= (last or first),
            func.ltrim(extension, DIGITS) == "",
        ),
        False,
    )


def _pattern(value: str) -> str:
    for special in ("\\", "%", "_"):
        value = value.replace(special, f"\\{special}")
    return value.replace("*", "%")
