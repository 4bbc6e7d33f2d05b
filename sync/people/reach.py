"""Notes since when a person can be shown in Teams, or cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from storage.tables.people import Person


def can_be_shown(person: Person) -> bool:
    return person.teams_user_id is not None and person.unmatched is None


@contextmanager
def noting_reach(person: Person, now: datetime) -> Iterator[None]:
    """Note ``now`` when what is done in the block makes it possible, or impossible, to show the person."""
    before = can_be_shown(person)
    yield
    if can_be_shown(person) != before:
        person.reach_changed_at = now
