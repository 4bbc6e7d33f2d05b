"""Whether a person is shown at all: an administrator's choice, the scope and the person's own, as one decision.

It is the same for a row and in SQL. The reasons are values of ``sync.domain.model.Unmatched``.
"""

from typing import Protocol

from sqlalchemy import ColumnElement, and_, case
from sqlmodel import col

from storage.tables.people import Person

EXCLUDED, OUTSIDE, OPTED_OUT = "excluded", "outside", "opted_out"


class Hideable(Protocol):
    @property
    def excluded(self) -> bool: ...
    @property
    def outside(self) -> str: ...
    @property
    def opted_out(self) -> bool: ...


def hidden_by(person: Hideable) -> str:
    """Why the person is not to be shown, empty when they are."""
    if person.excluded:
        return EXCLUDED
    if person.outside:
        return OUTSIDE
    return OPTED_OUT if person.opted_out else ""


def reason() -> ColumnElement[str | None]:
    """``hidden_by`` of each person, None for who is to be shown."""
    return case(
        (col(Person.excluded), EXCLUDED),
        (col(Person.outside) != "", OUTSIDE),
        (col(Person.opted_out), OPTED_OUT),
    )


def can_be_shown() -> ColumnElement[bool]:
    """Whether Teams could show a person: matched, with a phone of their own, and not refused by Graph."""
    return and_(col(Person.teams_user_id).is_not(None), col(Person.unmatched).is_(None), col(Person.refusal) == "")


def is_shown() -> ColumnElement[bool]:
    return and_(col(Person.excluded).is_(False), col(Person.outside) == "", col(Person.opted_out).is_(False))
