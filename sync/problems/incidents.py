"""From problems as they were noted to troubles as a person would count them. Pure.

A service that breaks, answers once and breaks again is one trouble, not three; a fault that a closer look names
anew is one too. What a person is told of is a trouble, once.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from storage.tables.problems import Problem

PEOPLE: Final = "people"
UNMATCHED_RISING: Final = "people.unmatched_rising"
CLOCK: Final = "clock"
CLOCK_SKEWED: Final = "clock.skewed"

SETTLED = timedelta(minutes=2)
"""Well for so long, a service counts as healed; shorter pauses belong to the same trouble."""

UNWELL_FOR = timedelta(minutes=15)
"""A service that is merely unwell is told of when it stays so for this long."""

NAMING = timedelta(seconds=30)
"""How long a probe may take to name a new refusal exactly, before it is told as it is."""

FLAPPING = timedelta(hours=1)
"""A trouble told of that returns within this time is not told again before it."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble. ``stage`` names it for ever: the id of the first problem in it."""

    stage: str
    service: str
    matter: str
    fault: str
    lasting: bool
    since: datetime
    ended_at: datetime | None
    is_named: bool
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def grace(self) -> timedelta:
        if self.service == PEOPLE:
            return timedelta(0)
        if self.lasting:
            return timedelta(0) if self.is_named else NAMING
        return UNWELL_FOR


def incidents_of(problems: Iterable[Problem]) -> list[Incident]:
    """The problems of one integration as troubles, oldest first."""
    found: list[Incident] = []
    latest: dict[tuple[str, str], int] = {}
    for problem in sorted(problems, key=lambda row: (row.since, row.id)):
        name = (problem.service, _matter(problem))
        place = latest.get(name)
        if place is not None and _goes_on(found[place], problem):
            found[place] = _trouble(problem, found[place])
        else:
            latest[name] = len(found)
            found.append(_trouble(problem))
    return found


def tell_at(trouble: Incident, troubles: Iterable[Incident], told: Collection[str]) -> datetime:
    """When to tell of an open trouble; ``told`` are the stages that somebody heard of."""
    before = [
        other.ended_at + FLAPPING
        for other in troubles
        if other.stage in told
        and other.ended_at
        and (other.service, other.matter) == (trouble.service, trouble.matter)
        and other.ended_at <= trouble.since
    ]
    return max([trouble.since + trouble.grace, *before])


def is_over(trouble: Incident, now: datetime) -> bool:
    return trouble.ended_at is not None and trouble.ended_at + SETTLED <= now


def is_all_clear(trouble: Incident, troubles: Iterable[Incident], told: Collection[str], now: datetime) -> bool:
    """Whether it is over, nothing else troubles the service, and no told trouble took its place."""
    if trouble.ended_at is None or not is_over(trouble, now):
        return False
    others = [other for other in troubles if other.service == trouble.service and other is not trouble]
    if any(not is_over(other, now) for other in others):
        return False
    end = trouble.ended_at + SETTLED
    return not any(other.stage in told and trouble.since < other.since <= end for other in others)


def _matter(problem: Problem) -> str:
    """A refusal is a matter of its own; whatever a service is unwell with is one matter."""
    return problem.fault if problem.lasting or problem.service in (PEOPLE, CLOCK) else "unwell"


def _goes_on(trouble: Incident, problem: Problem) -> bool:
    return trouble.ended_at is None or problem.since - trouble.ended_at < SETTLED


def _trouble(problem: Problem, begun: Incident | None = None) -> Incident:
    return Incident(
        stage=begun.stage if begun else problem.id,
        service=problem.service,
        matter=_matter(problem),
        fault=problem.fault,
        lasting=problem.lasting,
        since=begun.since if begun else problem.since,
        ended_at=problem.healed_at,
        is_named=problem.checked_at > problem.since,
        facts=dict(problem.facts),
    )
