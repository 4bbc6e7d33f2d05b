"""Whose endpoint it is: which person an event concerns, and what of a snapshot concerns whom. Pure.

``userId`` says who, site and extension say where. Only without a ``userId`` does the extension decide: first whose
own it is in the directory, then who was seen there. Of two people who could be meant, neither is guessed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from sync.domain.phone_events import LineSnapshot
from sync.flow.line_state import unknown_phone


@dataclass(frozen=True, slots=True)
class Resident:
    """A person: their own ``extension`` and site in the directory, and the extensions where they were seen."""

    id: str
    user_id: str
    site_id: str
    extension: str | None
    seen_at: frozenset[str] = frozenset()


class Place(Protocol):
    """What an event or a snapshot says of its endpoint."""

    @property
    def extension(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def site_id(self) -> str: ...


class Nobody(StrEnum):
    """Why a report concerns nobody we know."""

    UNKNOWN_PERSON = "unknown_person"
    AMBIGUOUS = "ambiguous"


def owner_of(place: Place, known: Collection[Resident]) -> Resident | Nobody:
    """The person whom a report concerns."""
    if place.user_id:
        return _only([one for one in known if one.user_id == place.user_id])
    here = [one for one in known if _is_at(one, place)]
    owners = [one for one in here if one.extension == place.extension]
    at_that_site = [one for one in owners if place.site_id and one.site_id]
    return _only(at_that_site or owners or here)


def is_disagreement(place: Place, known: Collection[Resident]) -> bool:
    """Whether a report contradicts the directory in a way not seen before: it is time to read it again."""
    if not place.user_id:
        return False
    owner = owner_of(place, known)
    if isinstance(owner, Nobody):
        return True
    is_another_owned = any(
        one.extension == place.extension and _is_at(one, place) for one in known if one is not owner
    )
    return is_another_owned and place.extension != owner.extension and place.extension not in owner.seen_at


def shares(
    snapshot: LineSnapshot, known: Collection[Resident], held: Mapping[str, Collection[str]]
) -> list[tuple[Resident, LineSnapshot]]:
    """What a snapshot says of each person at its endpoint; ``held`` are the calls known there, by person.

    Without a ``userId`` each call stays with the person who has it already, and new ones are the owner's.
    """
    here = [one for one in known if _is_at(one, snapshot)]
    if not snapshot.exists:
        return [(one, snapshot) for one in here]
    owner = owner_of(snapshot, known)
    guests = [one for one in here if one is not owner and _uses_the_same_device(one, owner, snapshot)]
    if snapshot.user_id:
        found = [(one, unknown_phone(snapshot.extension)) for one in guests]
    else:
        found = [(one, _held_by(snapshot, held.get(one.id, ()))) for one in guests]
        taken = {call.call_id for _, part in found for call in part.calls}
        snapshot = replace(snapshot, calls=tuple(call for call in snapshot.calls if call.call_id not in taken))
    return found if isinstance(owner, Nobody) else [*found, (owner, snapshot)]


def _uses_the_same_device(one: Resident, owner: Resident | Nobody, place: Place) -> bool:
    """Two who own one extension may have two devices, at two sites; who was only seen there had this one."""
    is_own = one.extension == place.extension
    return not is_own or (isinstance(owner, Resident) and owner.extension != place.extension)


def _held_by(snapshot: LineSnapshot, call_ids: Collection[str]) -> LineSnapshot:
    calls = tuple(call for call in snapshot.calls if call.call_id in call_ids)
    return replace(snapshot, calls=calls, do_not_disturb=None if snapshot.do_not_disturb else False)


def _is_at(one: Resident, place: Place) -> bool:
    if one.extension != place.extension:
        return place.extension in one.seen_at
    return not (one.site_id and place.site_id) or one.site_id == place.site_id


def _only(found: Sequence[Resident]) -> Resident | Nobody:
    if len(found) == 1:
        return found[0]
    return Nobody.AMBIGUOUS if found else Nobody.UNKNOWN_PERSON
