"""Closes the difference between what Teams should show and what it shows.

A round: pick who is due, within the quota, and mark them as under way, in one transaction; send; store what
became of it, in another. A crash in between leaves marked people, who are picked again. State is read when it
is sent, so the newest wins; what changes during a round goes out in the next.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, people, problems
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import Change, ClearPresence, Done, Failed, Outcome, Refused, SetPresence, Throttled
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, SyncError
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE, ROTATE
from sync.domain.model import TeamsApp
from sync.domain.services import PresenceService
from sync.presence import plan
from sync.presence.status_message_plan import needs_look
from sync.problems import health
from sync.teams.quota import QuotaLedger

BATCH = 20
"""Requests in one ``$batch`` (Microsoft Graph, JSON batching)."""

AT_ONCE = 4
"""Batches sent side by side in a round."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Before:
    """What Teams showed from us when a change was planned, to be put back if it was not taken."""

    applied: str | None
    user_id: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Sending:
    """``since`` is when what is sent was first desired."""

    person_id: str
    change: Change
    before: Before
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What one round sends. ``more`` tells that others may be due besides; ``wait_until`` that none may go now;
    ``messages`` that status messages are to be looked at.
    """

    app: TeamsApp | None = None
    sendings: tuple[Sending, ...] = ()
    more: bool = False
    wait_until: datetime | None = None
    messages: bool = False


class Reconciler:
    """Pushes an integration's due changes to Graph until none is left or the quota is."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._clock = context.clock
        self._random = context.random
        self._metrics = context.metrics

    async def push(self, integration_id: str) -> None:
        """The job: rounds until nobody is due; who becomes due meanwhile, and was not sent, is deferred anew."""
        more = True
        while more:
            this = await self._pick(integration_id)
            more = this.more
            if this.wait_until:
                self._metrics.quota_waits.inc()
                await self._jobs.defer(PUSH, integration_id, at=this.wait_until)
            if this.app and this.sendings:
                outcomes = await self._send(self._clients.presence(this.app), this.sendings)
                more |= await self._store(integration_id, this.app, this.sendings, outcomes)
            if this.messages:
                await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id)

    async def _pick(self, integration_id: str) -> Round:
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            if integration is None or await self._stopped(session, integration_id):
                return Round()
            wait_until, left = self._quota.allowance(sharing.values(), now)
            self._metrics.quota_used.observe(1 - left / self._quota.limit)
            if wait_until:
                return Round(wait_until=wait_until if await self._anybody(session, integration, now) else None)
            try:
                app = self._credentials.app(integration)
            except CredentialsWrong as error:
                await health.broke(session, integration_id, error, now)
                return Round()
            return await self._pick_due(session, integration, app, left, now)

    async def _pick_due(
        self, session: AsyncSession, integration: Integration, app: TeamsApp, left: int, now: datetime
    ) -> Round:
        most = min(left, BATCH * AT_ONCE)
        rows = await people.lock_due(session, integration, now, most)
        sendings = [sending for person in rows if (sending := self._prepare(person, integration, now))]
        session.add_all(rows)
        if sendings:
            self._quota.reserve(integration, len(sendings), now)
            session.add(integration)
        messages = any(person.status_due_at for person in rows)
        return Round(app, tuple(sendings), len(rows) == most, messages=messages)

    async def _stopped(self, session: AsyncSession, integration_id: str) -> bool:
        return health.lasting(await problems.list_open(session, integration_id), health.TEAMS) is not None

    async def _anybody(self, session: AsyncSession, integration: Integration, now: datetime) -> bool:
        return bool(await people.lock_due(session, integration, now, 1))

    def _prepare(self, person: Person, integration: Integration, now: datetime) -> Sending | None:
        """Mark the person as under way; or, when there is nothing to send, say when to look again."""
        if needs_look(person, integration, now):
            person.status_due_at = now
        change = plan.change_for(person, integration, now)
        if change is None:
            if person.applied and plan.has_ended(person, now):
                plan.mark_nothing_shown(person)
            person.due_at = plan.next_look(person, integration, now, self._random)
            return None
        before = Before(person.applied, person.applied_user_id, person.applied_until)
        plan.mark_under_way(person, change, now)
        return Sending(person.id, change, before, person.desired_at)

    async def _send(self, service: PresenceService, sendings: Sequence[Sending]) -> list[Outcome]:
        changes = [sending.change for sending in sendings]
        batches = [changes[start : start + BATCH] for start in range(0, len(changes), BATCH)]
        answers = await asyncio.gather(*(_send_batch(service, batch) for batch in batches))
        return [outcome for answer in answers for outcome in answer]

    async def _store(
        self, integration_id: str, app: TeamsApp, sendings: Sequence[Sending], outcomes: Sequence[Outcome]
    ) -> bool:
        """Whether somebody is due again already: what was wished meanwhile is another thing."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            is_current = self._is_current(integration, app)
            verdict = await self._judge(session, integration, outcomes, now) if is_current else now
            is_proven = is_current and _forget_former(integration, outcomes)
            rows = await people.by_ids(session, [sending.person_id for sending in sendings])
            for sending, outcome in zip(sendings, outcomes, strict=True):
                self._count(integration_id, sending, outcome, now)
                person = rows.get(sending.person_id)
                if person is not None:
                    self._settle(person, integration, sending, outcome, verdict, now)
                    session.add(person)
        if is_proven:
            await self._jobs.defer(ROTATE, integration_id)
        return any(person.due_at is not None and person.due_at <= now for person in rows.values())

    def _is_current(self, integration: Integration, app: TeamsApp) -> bool:
        try:
            return self._credentials.app(integration) == app
        except CredentialsWrong:
            return False

    async def _judge(
        self, session: AsyncSession, integration: Integration, outcomes: Sequence[Outcome], now: datetime
    ) -> datetime:
        """Light the lamps, heed Retry-After; returns when a change that failed may go again."""
        again = now + health.SHORTEST_BACKOFF * self._random.uniform(1, 3)
        failures = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
        if any(isinstance(outcome, Done | Refused) for outcome in outcomes):
            closed = await health.healed(session, integration.id, health.TEAMS, now)
            if any(problem.lasting for problem in closed):
                await people.make_pending_due(session, integration.id, now)
        elif failures:
            again = await self._break(session, integration, failures, now)
        waits = [outcome.retry_after for outcome in outcomes if isinstance(outcome, Throttled)]
        if waits:
            self._quota.block(integration, now + timedelta(seconds=max(waits)))
        session.add(integration)
        return again

    async def _break(
        self, session: AsyncSession, integration: Integration, failures: Sequence[SyncError], now: datetime
    ) -> datetime:
        """Nothing went through: stop for wrong credentials, hold back from an unwell service."""
        worst = next((error for error in failures if isinstance(error, CredentialsWrong)), failures[0])
        problem = await health.broke(session, integration.id, worst, now)
        asked = max((getattr(error, "retry_after", None) or 0.0 for error in failures), default=0.0)
        backoff = health.backoff(problem, now) * self._random.uniform(0.75, 1.25)
        again = now + max(backoff, timedelta(seconds=asked))
        if not problem.lasting:
            self._quota.block(integration, again)
        return again

    def _settle(
        self,
        person: Person,
        integration: Integration,
        sending: Sending,
        outcome: Outcome,
        again: datetime,
        now: datetime,
    ) -> None:
        """Store what became of one change, and when to look at the person next."""
        match outcome:
            case Done():
                self._time(person, sending.change, now)
                plan.mark_accepted(person, sending.change, now)
                person.due_at = plan.next_look(person, integration, now, self._random)
            case Throttled(retry_after):
                _put_back(person, sending.before)
                person.due_at = now + timedelta(seconds=retry_after)
            case Failed():
                person.due_at = again
            case Refused(status, code, _):
                self._refuse(person, integration, sending, f"{status} {code}", now)

    def _refuse(
        self, person: Person, integration: Integration, sending: Sending, refusal: str, now: datetime
    ) -> None:
        """Not tried again until something changes; a session that cannot be cleared is not there."""
        if isinstance(sending.change, ClearPresence):
            plan.mark_nothing_shown(person)
            person.due_at = plan.next_look(person, integration, now, self._random)
            return
        _put_back(person, sending.before)
        still_wanted = plan.wanted_of(person, integration) == sending.change.presence
        person.refusal = refusal if still_wanted else ""
        person.due_at = None if still_wanted else now

    def _time(self, person: Person, change: Change, now: datetime) -> None:
        shown = change.presence if isinstance(change, SetPresence) else None
        if person.desired == shown and person.applied != shown and person.desired_at:
            self._metrics.latency.observe(max(0.0, (now - person.desired_at).total_seconds()))

    def _count(self, integration_id: str, sending: Sending, outcome: Outcome, now: datetime) -> None:
        """Once in the metrics, and once in the log by its cause's id; quietly when nobody can see a change."""
        change, became = sending.change, type(outcome).__name__.lower()
        kind, shown = ("set", change.presence) if isinstance(change, SetPresence) else ("clear", None)
        self._metrics.changes.labels(kind=kind, outcome=became).inc()
        is_news = isinstance(outcome, Done | Refused) and sending.before.applied != shown
        log.log(
            logging.INFO if is_news else logging.DEBUG,
            "presence_sent",
            integration=integration_id,
            person=sending.person_id,
            presence=shown or "none",
            outcome=became,
            cause=change.cause,
            seconds=(now - sending.since).total_seconds() if sending.since else None,
            **_refusal_of(outcome),
        )


async def _send_batch(service: PresenceService, changes: Sequence[Change]) -> list[Outcome]:
    try:
        return await service.push(changes)
    except SyncError as error:
        return [Failed(error)] * len(changes)


def _forget_former(integration: Integration, outcomes: Sequence[Outcome]) -> bool:
    """Something was pushed with new credentials: the former ones are not needed any longer."""
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


def _put_back(person: Person, before: Before) -> None:
    person.applied, person.applied_user_id, person.applied_until = before.applied, before.user_id, before.until
