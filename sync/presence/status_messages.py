"""Pushes status messages: the text for the state of the phone, for users who have no message of their own.

As with presence, in rounds: select who is due, read their current messages, store what is about to be sent, send,
store the outcomes. Presence matters more: of the shared quota, half of each window is left to it. Failures open no
problem, for pushing presence meets the same failures and opens it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import Done, Failed, MessageChange, Outcome, Refused, SetMessage, Throttled
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.jobs import PUSH_STATUS_MESSAGE
from sync.domain.model import TeamsApp
from sync.domain.services import MAX_CHANGES, PresenceService
from sync.presence import status_message_plan as plan
from sync.presence.outcomes import send_batch
from sync.presence.reader import SettledReads
from sync.problems import health
from sync.teams.quota import QuotaLedger

log = structlog.get_logger()

RETRY_DELAY = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class MessageCheck:
    """The people whose message is due: ``users`` are the Teams users to read, by person, reserved at that time."""

    app: TeamsApp
    users: Mapping[str, str]
    reserved_at: datetime


class StatusMessageWriter:
    """Sets, renews and clears the status messages of integrations' people."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._reads = SettledReads(context, quota)
        self._clock = context.clock
        self._random = context.random
        self._metrics = context.metrics

    async def push(self, integration_id: str) -> None:
        """The job: rounds until no one is due, or until it must wait and is queued for later."""
        while check := await self._select(integration_id):
            if isinstance(check, datetime):
                return await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id, at=check)
            service = self._clients.presence(check.app)
            try:
                found = await self._read(integration_id, check, service)
            except SyncError as error:
                return await self._postpone(integration_id, check, error)
            prepared_at = self._clock()
            pending = await self._prepare(integration_id, check, found, prepared_at)
            outcomes = await send_batch(service, [change for _, change in pending])
            await self._store(integration_id, pending, outcomes, prepared_at)
        return None

    async def read(self, integration_id: str, user_ids: Sequence[str]) -> dict[str, str]:
        """The status messages of at most ``MAX_READ`` Teams users, within the quota. Raises ``SyncError``."""
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            if integration is None or not user_ids:
                return {}
            wait_until, left = self._quota.allowance(sharing.values(), now)
            if wait_until or not left:
                wait = (wait_until - now).total_seconds() if wait_until else None
                raise ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
            self._quota.reserve(integration, 1, now)
            app = self._credentials.app(integration)
        async with self._reads.of(integration_id, now):
            return await self._clients.presence(app).messages(user_ids)

    async def _read(self, integration_id: str, check: MessageCheck, service: PresenceService) -> Mapping[str, str]:
        if not check.users:
            return {}
        async with self._reads.of(integration_id, check.reserved_at):
            return await service.messages(sorted(set(check.users.values())))

    async def _select(self, integration_id: str) -> MessageCheck | datetime | None:
        """Whom to check next; without quota for it, when to try again."""
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            opened = await problems.list_open(session, integration_id)
            if integration is None or health.blocking_problem(opened, health.TEAMS):
                return None
            rows = await people.lock_status_message_due(session, integration_id, now, MAX_CHANGES)
            wait_until, left = self._allowance(sharing.values(), now)
            if rows and left < 2:
                return wait_until or now + RETRY_DELAY
            try:
                app = self._credentials.app(integration)
            except CredentialsWrong:
                return None
            checked = rows[: left - 1]
            for person in checked:
                if not plan.needs_check(person, integration, now):
                    person.status_due_at = None
            users = {each.id: plan.user_to_read(each, integration) for each in checked if each.status_due_at}
            if users:
                self._quota.reserve(integration, 1, now)
            return MessageCheck(app, users, now) if checked else None

    def _allowance(self, sharing: Collection[Integration], now: datetime) -> tuple[datetime | None, int]:
        wait_until, left = self._quota.allowance(sharing, now)
        return wait_until, left - self._quota.limit(sharing) // 2

    async def _prepare(
        self, integration_id: str, check: MessageCheck, found: Mapping[str, str], now: datetime
    ) -> list[tuple[str, MessageChange]]:
        """Decide by the current message and the newest state; on return what is to be sent is stored durably."""
        pending: list[tuple[str, MessageChange]] = []
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            if integration is None:
                return []
            left = self._quota.allowance(sharing.values(), now)[1]
            for person in (await people.by_ids(session, list(check.users))).values():
                user = check.users[person.id]
                if plan.user_to_read(person, integration) != user or len(pending) >= left:
                    continue
                change = plan.change_for(person, integration, found.get(user), now)
                plan.mark_message(person, change)
                person.status_due_at = now if change else None
                if change:
                    pending.append((person.id, change))
            self._quota.reserve(integration, len(pending), now)
        if pending:
            await self._database.sync()
        return pending

    async def _store(
        self,
        integration_id: str,
        pending: Sequence[tuple[str, MessageChange]],
        outcomes: Sequence[Outcome],
        prepared_at: datetime,
    ) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            rows = await people.by_ids(session, [person_id for person_id, _ in pending])
            for (person_id, change), outcome in zip(pending, outcomes, strict=True):
                kind = "set_message" if isinstance(change, SetMessage) else "clear_message"
                self._metrics.changes.labels(kind=kind, outcome=type(outcome).__name__.lower()).inc()
                person = rows.get(person_id)
                if integration and person:
                    self._apply(person, integration, change, outcome, now)
            if integration:
                self._quota.settle(integration, len(pending), prepared_at, now)
                self._quota.block_if_throttled(integration, outcomes, now)  # for presence too: one quota

    def _apply(
        self, person: Person, integration: Integration, change: MessageChange, outcome: Outcome, now: datetime
    ) -> None:
        """Store the outcome of one change, and when to check again."""
        match outcome:
            case Done():
                plan.mark_message_accepted(person, change)
                is_due = plan.needs_check(person, integration, now)
                person.status_due_at = now if is_due else plan.renewal_of(person)
            case Throttled(retry_after):
                person.status_due_at = now + timedelta(seconds=retry_after)
            case Failed():
                person.status_due_at = now + RETRY_DELAY * self._random.uniform(0.75, 1.5)
            case Refused():
                plan.mark_message_refused(person)
                person.status_due_at = None

    async def _postpone(self, integration_id: str, check: MessageCheck, error: SyncError) -> None:
        wait = timedelta(seconds=error.retry_after or 0)
        again = self._clock() + max(wait, RETRY_DELAY * self._random.uniform(0.75, 1.5))
        log.info("status_messages_not_read", fault=error.fault.value, people=len(check.users))
        async with self._database.writing() as session:
            await integrations.get_for_update(session, integration_id)
            for person in (await people.by_ids(session, list(check.users))).values():
                person.status_due_at = again
