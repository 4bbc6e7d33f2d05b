"""A failure rehearsed on the values of the live integration: what would be shown, to whom, and for how long.

The fault is a row that is never stored. The alert and the all-clear come from the plan of real notices, the status
from the function of the real one, and the times are those by which the program acts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from storage.queries.health.notices import State
from storage.queries.people import directory_people
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.audit import Act, AuditLog
from sync.domain.context import Context
from sync.domain.drills import Drill, Moment, Rehearsal
from sync.domain.errors import Fault
from sync.domain.model import Actor, CredentialKind, Service
from sync.domain.people import PeopleFilter
from sync.domain.presence import TALKING
from sync.integrations.overview import Overview
from sync.phones import missed_alert
from sync.presence.plan import SESSION_SECONDS
from sync.problems.health import LONGEST_BACKOFF
from sync.problems.incidents import (
    DIAGNOSIS_DELAY,
    EVENTS,
    EVENTS_MISSED,
    OUTAGE_DELAY,
    RESOLVED_AFTER,
)
from sync.problems.notice_plan import CLEAR, PROBLEM, PlanInput, Recipient, plan
from sync.problems.notice_scheduler import recipients_of
from sync.scheduling.freshness import GRACE, MISTRUST
from sync.scheduling.scheduler import Intervals
from sync.tenancy import owned

NAMES = 5
NOBODY = Recipient("drill")

EXPIRED = {
    CredentialKind.SECRET: Fault.ENTRA_SECRET_EXPIRED,
    CredentialKind.CERTIFICATE: Fault.ENTRA_CERTIFICATE_EXPIRED,
    CredentialKind.FEDERATED: Fault.ENTRA_FEDERATION_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Drills:
    """Both methods raise ``UnknownIntegration``."""

    context: Context
    overview: Overview
    every: Intervals

    async def begin(self, owner_tenant: str, integration_id: str, rehearsal: Rehearsal, by: Actor) -> None:
        """Record that it is rehearsed: all that a drill stores."""
        audit = AuditLog(self.context.database, self.context.clock)
        async with self.context.database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id)
            await audit.record(session, Act.DRILL, by, integration, {"rehearsal": rehearsal.value})

    async def rehearse(self, owner_tenant: str, integration_id: str, rehearsal: Rehearsal) -> Drill:
        """What would be shown if it happened now; stores nothing and calls no service."""
        now = self.context.clock()
        talking = PeopleQuery(filter=PeopleFilter.ON_THE_PHONE.value, talking=TALKING, only_shown=True)
        async with self.context.database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            people, _, _ = await directory_people.page(session, [integration_id], talking, NAMES)
            calls = await directory_people.count(session, [integration_id], talking)
            recipients = (await recipients_of(session, [integration]))[integration_id]
            problem = _problem(integration, rehearsal, now)
            alert, clear = _notices(integration, problem, now)
        status = await self.overview.status(owner_tenant, integration_id, rehearsed=problem)
        return Drill(
            rehearsal=rehearsal,
            status=status,
            alert=alert,
            clear=clear,
            moments=self._moments(rehearsal, status.worst_age),
            calls=calls,
            names=tuple(person.name or person.address for person, _ in people),
            alerted=sum(1 for one in recipients if one.is_reachable and not one.is_muted),
        )

    def _moments(self, rehearsal: Rehearsal, polling: int) -> tuple[Moment, ...]:
        every = self.every
        all_clear = Moment("all_clear", RESOLVED_AFTER.total_seconds() + every.warn)
        kept = Moment("kept", SESSION_SECONDS)
        match rehearsal:
            case Rehearsal.SECRET:
                alerted = Moment("alerted_now", DIAGNOSIS_DELAY.total_seconds() + every.warn)
                return alerted, kept, Moment("new_secret", every.schedule), all_clear
            case Rehearsal.GRAPH:
                backoff = LONGEST_BACKOFF.total_seconds()
                alerted = Moment("alerted", OUTAGE_DELAY.total_seconds() + every.warn)
                return (
                    Moment("retried", backoff),
                    alerted,
                    kept,
                    Moment("answers", backoff + every.schedule),
                    all_clear,
                )
            case Rehearsal.WEBHOOKS:
                found = Moment("found", every.poll_with_webhooks + GRACE.total_seconds())
                alerted = Moment("alerted", missed_alert.LASTING.total_seconds() + every.warn)
                return found, Moment("polled", polling), alerted, Moment("trusted", MISTRUST.total_seconds())


def _problem(integration: Integration, rehearsal: Rehearsal, now: datetime) -> Problem:
    """As it would be stored by the time administrators are alerted. Never added to a session."""
    since = now - OUTAGE_DELAY
    given: dict[Rehearsal, tuple[str, str, bool, dict[str, Any]]] = {
        Rehearsal.SECRET: (Service.ENTRA, EXPIRED[CredentialKind(integration.credential)], True, {}),
        Rehearsal.GRAPH: (Service.GRAPH, Fault.GRAPH_UNREACHABLE, False, {}),
        Rehearsal.WEBHOOKS: (EVENTS, EVENTS_MISSED, False, {"calls": missed_alert.MIN_MISSED}),
    }
    service, fault, lasting, facts = given[rehearsal]
    return Problem(
        integration_id=integration.id,
        service=service,
        fault=fault,
        lasting=lasting,
        facts=facts,
        since=since,
        checked_at=now,
    )


def _notices(integration: Integration, problem: Problem, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts of the alert, and of the all-clear if it ended now."""
    given = PlanInput(integration, [], [problem], [], [NOBODY], None, None, now)
    (alert,) = (notice for notice in plan(given).new if notice.topic == PROBLEM)
    alert.state = State.SENT
    ended = problem.model_copy(update={"healed_at": now})
    later = now + RESOLVED_AFTER + timedelta(seconds=1)
    after = PlanInput(integration, [alert], [ended], [], [NOBODY], None, None, later)
    (clear,) = (notice for notice in plan(after).new if notice.topic == CLEAR)
    return dict(alert.facts), dict(clear.facts)
