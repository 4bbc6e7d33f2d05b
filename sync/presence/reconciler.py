"""Pushes to Graph the difference between what Teams should show and what it shows.

A round: select who is due, within the quota, and mark them as being sent, in one transaction; send; store the
outcomes, in another. A crash in between leaves marked people, who are selected again. State is read when it is
sent, so the newest is sent; what changes during a round is sent in the next.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import Change, Done, Failed, Outcome, Refused, Request, SetPresence
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, SyncError
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE, ROTATE
from sync.domain.model import TeamsApp
from sync.domain.presence import Presence
from sync.domain.services import MAX_CHANGES, PresenceService
from sync.presence import plan, sent_changes
from sync.presence.delays import Delays
from sync.presence.outcomes import AppliedState, Outcomes, PendingChange
from sync.presence.shared_sessions import shared_change, wishes_of_others
from sync.presence.status_message_plan import needs_check
from sync.problems import health
from sync.teams.quota import QuotaLedger

CONCURRENT_BATCHES = 4

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Round:
    """What one round sends.

    ``has_more``: other people may be due. ``wait_until``: nothing may be sent before. ``has_messages``: status
    messages are to be checked; ``selected_at`` is when the quota was reserved.
    """

    app: TeamsApp | None = None
    changes: tuple[PendingChange, ...] = ()
    has_more: bool = False
    wait_until: datetime | None = None
    has_messages: bool = False
    selected_at: datetime | None = None


class Reconciler:
    """Pushes an integration's due changes to Graph until none is left or the quota is used up."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger, delays: Delays) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._delays = delays
        self._clock = context.clock
        self._random = context.random
        self._metrics = context.metrics

    async def push(self, integration_id: str) -> None:
        """The job: rounds until no one is due, or until it must wait and is queued for later."""
        has_more = True
        while has_more:
            this = await self._select(integration_id)
            has_more = this.has_more
            if this.wait_until:
                self._metrics.quota_waits.inc()
                await self._jobs.defer(PUSH, integration_id, at=this.wait_until)
            if this.app and this.changes:
                if self._quota.is_too_late(this.selected_at, self._clock()):
                    has_more = True  # as after a crash: selected again, with a new reservation
                    continue
                outcomes = await self._send(self._clients.presence(this.app), this.changes)
                has_more |= await self._store(integration_id, this, outcomes)
            if this.has_messages:
                await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id)

    async def _select(self, integration_id: str) -> Round:
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            if integration is None or await health.is_blocked(session, integration_id, health.TEAMS):
                return Round()
            wait_until, left = self._quota.allowance(sharing.values(), now)
            self._metrics.quota_used.observe(1 - left / self._quota.limit(sharing.values()))
            if wait_until:
                if not await people.lock_due(session, integration, now, 1):
                    return Round()
                if not self._quota.grow(sharing.values(), now):
                    return Round(wait_until=wait_until)
                left = self._quota.allowance(sharing.values(), now)[1]
            try:
                app = self._credentials.app(integration)
            except CredentialsWrong as error:
                await health.mark_unhealthy(session, integration_id, error, now)
                return Round()
            others = [each for key, each in sharing.items() if key != integration_id]
            return await self._select_due(session, integration, others, app, left, now)

    async def _select_due(
        self,
        session: AsyncSession,
        integration: Integration,
        others: Sequence[Integration],
        app: TeamsApp,
        left: int,
        now: datetime,
    ) -> Round:
        limit = min(left, MAX_CHANGES * CONCURRENT_BATCHES)
        rows = await people.lock_due(session, integration, now, limit)
        users = {user for row in rows for user in (row.applied_user_id, row.teams_user_id) if user}
        wishes = await wishes_of_others(session, others, users, now)
        changes = [change for person in rows if (change := self._prepare(person, integration, wishes, now))]
        if changes:
            self._quota.reserve(integration, len(changes), now)
        has_messages = any(person.status_due_at for person in rows)
        return Round(app, tuple(changes), len(rows) == limit, has_messages=has_messages, selected_at=now)

    def _prepare(
        self, person: Person, integration: Integration, others: Mapping[str, Presence], now: datetime
    ) -> PendingChange | None:
        """Mark the person as being sent; or, when nothing is to be sent, store when the person is due next."""
        if needs_check(person, integration, now):
            person.status_due_at = now
        own = plan.change_for(person, integration, now)
        change = shared_change(person, own, others) if own else None
        if change is None:
            if own or (person.applied and plan.has_ended(person, now)):
                plan.mark_nothing_shown(person)
            person.due_at = plan.next_due(person, integration, now, self._random)
            return None
        previous = AppliedState(person.applied, person.applied_user_id, person.applied_until)
        plan.mark_sending(person, change, now)
        wish = own.presence if isinstance(own, SetPresence) else None
        return PendingChange(person.id, change, previous, person.desired_at, wish)

    async def _send(self, service: PresenceService, pending: Sequence[PendingChange]) -> list[Outcome]:
        changes = [each.change for each in pending]
        batches = [changes[start : start + MAX_CHANGES] for start in range(0, len(changes), MAX_CHANGES)]
        outcomes = await asyncio.gather(*(send_batch(service, batch) for batch in batches))
        return [outcome for batch in outcomes for outcome in batch]

    async def _store(self, integration_id: str, this: Round, outcomes: Sequence[Outcome]) -> bool:
        """Store the outcomes; returns whether some of these people are due again, for their state changed."""
        now, pending = self._clock(), this.changes
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            if this.selected_at:
                self._quota.settle(integration, len(pending), this.selected_at, now)
            is_current = this.app is not None and self._is_current(integration, this.app)
            retry_at = await self._update_health(session, integration, outcomes, now) if is_current else now
            is_proven = is_current and _drop_former_secret(integration, outcomes)
            rows = await people.by_ids(session, [each.person_id for each in pending])
            applying = Outcomes(integration, retry_at, now, self._random)
            for change, outcome in zip(pending, outcomes, strict=True):
                self._record(integration_id, change, outcome, now)
                person = rows.get(change.person_id)
                if person is not None:
                    self._observe_latency(person, change, outcome, now)
                    applying.apply(person, change, outcome)
            await sent_changes.record(session, pending, outcomes, now)
        if is_proven:
            await self._jobs.defer(ROTATE, integration_id)
        return any(person.due_at is not None and person.due_at <= now for person in rows.values())

    def _is_current(self, integration: Integration, app: TeamsApp) -> bool:
        """Whether the credentials were not changed while the requests were being sent."""
        try:
            return self._credentials.app(integration) == app
        except CredentialsWrong:
            return False

    async def _update_health(
        self, session: AsyncSession, integration: Integration, outcomes: Sequence[Outcome], now: datetime
    ) -> datetime:
        """Open or close problems, and apply Retry-After; returns when a failed change may be sent again."""
        retry_at = now + health.SHORTEST_BACKOFF * self._random.uniform(1, 3)
        failures = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
        if any(isinstance(outcome, Done | Refused) for outcome in outcomes):
            closed = await health.mark_healthy(session, integration.id, health.TEAMS, now)
            if any(problem.lasting for problem in closed):
                await people.make_pending_due(session, integration.id, now)
        elif failures:
            retry_at = await self._back_off(session, integration, failures, now)
        self._quota.block_if_throttled(integration, outcomes, now)
        return retry_at

    async def _back_off(
        self, session: AsyncSession, integration: Integration, failures: Sequence[SyncError], now: datetime
    ) -> datetime:
        """All requests failed: wrong credentials block pushing, an unavailable service delays it."""
        worst = next((error for error in failures if isinstance(error, CredentialsWrong)), failures[0])
        problem = await health.mark_unhealthy(session, integration.id, worst, now)
        requested = max((error.retry_after or 0.0 for error in failures), default=0.0)
        backoff = health.backoff(problem, now) * self._random.uniform(0.75, 1.25)
        retry_at = now + max(backoff, timedelta(seconds=requested))
        if not problem.lasting:
            self._quota.block(integration, retry_at)
        return retry_at

    def _observe_latency(self, person: Person, pending: PendingChange, outcome: Outcome, now: datetime) -> None:
        """Only of changes that were accepted, are visible and are still desired."""
        shown = _presence_of(pending.change)
        is_visible = isinstance(outcome, Done) and person.applied != shown
        if is_visible and person.desired == shown and person.desired_at:
            seconds = max(0.0, (now - person.desired_at).total_seconds())
            self._metrics.latency.observe(seconds)
            self._delays.observe(person.integration_id, seconds)

    def _record(self, integration_id: str, pending: PendingChange, outcome: Outcome, now: datetime) -> None:
        """Count and log the change, with the id of its cause; at level debug when it changes nothing visible."""
        change, result = pending.change, type(outcome).__name__.lower()
        shown = _presence_of(change)
        kind = "set" if isinstance(change, SetPresence) else "clear"
        self._metrics.changes.labels(kind=kind, outcome=result).inc()
        is_visible = isinstance(outcome, Done | Refused) and pending.previous.applied != shown
        log.log(
            logging.INFO if is_visible else logging.DEBUG,
            "presence_sent",
            integration=integration_id,
            person=pending.person_id,
            presence=shown or "none",
            outcome=result,
            cause=change.cause,
            seconds=(now - pending.since).total_seconds() if pending.since else None,
            **_refusal_of(outcome),
        )


async def send_batch(service: PresenceService, changes: Sequence[Request]) -> list[Outcome]:
    """Send at most ``MAX_CHANGES``; if all failed, ``Failed`` for each."""
    if not changes:
        return []
    try:
        return await service.push(changes)
    except SyncError as error:
        return [Failed(error)] * len(changes)


def _presence_of(change: Change) -> str | None:
    return change.presence if isinstance(change, SetPresence) else None


def _drop_former_secret(integration: Integration, outcomes: Sequence[Outcome]) -> bool:
    """A change was pushed with the new secret: the former one is not needed any more."""
    if integration.previous_secret_sealed is None or not any(isinstance(each, Done) for each in outcomes):
        return False
    integration.previous_secret_sealed = None
    return True


def _refusal_of(outcome: Outcome) -> dict[str, str | int]:
    match outcome:
        case Refused(status, code, request_id):
            return {"status": status, "code": code, "request_id": request_id}
        case Failed(error, request_id):
            return {"fault": error.fault.value, "request_id": request_id}
    return {}
