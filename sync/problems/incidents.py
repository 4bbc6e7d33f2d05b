"""Groups stored problems into incidents, as an administrator would count them. Pure.

A service that fails, responds once and fails again is one incident, not three; so is a fault that a probe later
diagnoses more exactly. Administrators get one notice for each incident.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from storage.tables.problems import Problem
from sync.domain.errors import Fault
from sync.domain.model import Service
from sync.problems.health import DIRECTORY, REFUSALS, is_suspected

PEOPLE: Final = "people"
UNMATCHED_RISING: Final = "people.unmatched_rising"
LISTS: Final = "lists"
LISTS_SHRUNK: Final = "lists.shrunk"
CLOCK: Final = "clock"
CLOCK_SKEWED: Final = "clock.skewed"
GROUPS: Final = "groups"
GROUPS_UNREAD: Final = "groups.unread"
EVENTS: Final = "events"
EVENTS_MISSED: Final = "events.missed"
SUBSCRIPTION: Final = "subscription"
SUBSCRIPTION_REFUSED: Final = "subscription.refused"
EFFECT: Final = "effect"
EFFECT_MISSING: Final = "effect.missing"

OWN = (PEOPLE, LISTS, DIRECTORY, GROUPS, CLOCK, EVENTS, SUBSCRIPTION, EFFECT)
"""What is no service, and has problems and sentences of its own."""

OUTAGE: Final = "outage"

RESOLVED_AFTER = timedelta(minutes=2)
"""A service that is healthy for this long has recovered; shorter pauses belong to the same incident.

That Graph refuses everyone is notified after as long: the next call may be accepted.
"""

OUTAGE_DELAY = timedelta(minutes=15)
"""An outage is notified once it lasts this long: most are over by then."""

DIAGNOSIS_DELAY = timedelta(seconds=30)
"""How long a probe may take to diagnose a new refusal, before the refusal is notified undiagnosed."""

FLAPPING = timedelta(hours=1)
"""An incident that returns within this time after a notified one ended is not notified earlier."""

RETURNS = 3
"""So often within that time a refusal may return and is notified all the same: presence has stopped."""


@dataclass(frozen=True, slots=True)
class Incident:
    """``id`` and ``since`` are those of its first problem, ``kind`` a fault or ``OUTAGE``.

    ``fault`` and ``facts`` are of its newest problem while that is open, and of the longest once all have ended.

    ``is_diagnosed`` says whether the problem was seen again after it was opened.
    """

    id: str
    service: str
    kind: str
    fault: str
    lasting: bool
    since: datetime
    ended_at: datetime | None
    is_diagnosed: bool
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def notice_delay(self) -> timedelta:
        """How long after ``since`` it is notified."""
        if self.service in (PEOPLE, LISTS, GROUPS, EVENTS, EFFECT):
            return timedelta(0)
        if self.fault == Fault.GRAPH_EVERYONE_REFUSED:
            return RESOLVED_AFTER
        if self.lasting:
            return timedelta(0) if self.is_diagnosed else DIAGNOSIS_DELAY
        return OUTAGE_DELAY


def incidents_of(problems: Iterable[Problem]) -> list[Incident]:
    """The incidents of one integration, oldest first; a refusal that was not confirmed is none."""
    found: list[Incident] = []
    latest: dict[tuple[str, str], int] = {}
    proven = (row for row in problems if not is_suspected(row))
    for problem in sorted(proven, key=lambda row: (row.since, row.id)):
        name = (problem.service, _kind_of(problem))
        index = latest.get(name)
        if index is not None and _continues(found[index], problem):
            found[index] = _incident(problem, found[index])
        else:
            latest[name] = len(found)
            found.append(_incident(problem))
    return found


def notify_at(incident: Incident, incidents: Iterable[Incident], notified: Collection[str]) -> datetime:
    """When to notify an open incident; ``notified`` are the ids of incidents with a delivered notice."""
    ended = sorted(
        other.ended_at
        for other in incidents
        if other.id in notified
        and other.ended_at
        and (other.service, other.kind) == (incident.service, incident.kind)
        and other.ended_at <= incident.since
    )
    damping = ended[:-RETURNS] if incident.lasting else ended
    return max([incident.since + incident.notice_delay, *(at + FLAPPING for at in damping)])


def is_covered(incident: Incident, incidents: Iterable[Incident]) -> bool:
    """Whether a list of users cannot be read because its whole service is away: that says enough."""
    side = incident.facts.get("side") if incident.service == DIRECTORY else None
    return any(other.service == side and other.ended_at is None for other in incidents)


def is_resolved(incident: Incident, now: datetime) -> bool:
    return incident.ended_at is not None and incident.ended_at + RESOLVED_AFTER <= now


def is_all_clear(
    incident: Incident, incidents: Iterable[Incident], notified: Collection[str], now: datetime
) -> bool:
    """Whether it is resolved, the service has no other incident, and no notified incident replaced it."""
    if incident.ended_at is None or not is_resolved(incident, now):
        return False
    others = [other for other in incidents if other.service == incident.service and other is not incident]
    if any(not is_resolved(other, now) for other in others):
        return False
    end = incident.ended_at + RESOLVED_AFTER
    return not any(other.id in notified and incident.since < other.since <= end for other in others)


def _kind_of(problem: Problem) -> str:
    """Each refusal is a kind of its own; all faults of an unavailable service are one kind."""
    return problem.fault if problem.lasting or problem.service in OWN else OUTAGE


def _continues(incident: Incident, problem: Problem) -> bool:
    return incident.ended_at is None or problem.since - incident.ended_at < RESOLVED_AFTER


def _incident(problem: Problem, continued: Incident | None = None) -> Incident:
    is_named = continued is None or _is_longer(problem, continued)
    return Incident(
        id=continued.id if continued else problem.id,
        service=Service.GRAPH if problem.service == REFUSALS else problem.service,
        kind=_kind_of(problem),
        fault=continued.fault if continued and not is_named else problem.fault,
        lasting=problem.lasting,
        since=continued.since if continued else problem.since,
        ended_at=problem.healed_at,
        is_diagnosed=problem.checked_at > problem.since,
        facts=continued.facts if continued and not is_named else dict(problem.facts),
    )


def _is_longer(problem: Problem, incident: Incident) -> bool:
    """Whether it lasts, or lasted longer than the incident did before."""
    if problem.healed_at is None or incident.ended_at is None:
        return True
    return problem.healed_at - problem.since >= incident.ended_at - incident.since
