"""Keeps status messages: "On the phone" beside the presence of whoever is, and has no words of their own there.

Like presence, by rounds: pick who is due, read what stands there, store what is about to be sent, send, store
what became of it. It shares presence's quota and leaves it half of each window, for presence matters more; its
troubles light no lamp, for presence goes the same way and tells of them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from storage.queries import integrations, people, problems
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import Done, Failed, MessageChange, Outcome, Refused, SetMessage, Throttled
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.jobs import PUSH_STATUS_MESSAGE
from sync.domain.model import TeamsApp
from sync.domain.services import PresenceService
from sync.presence import status_message_plan as plan
from sync.problems import health
from sync.teams.quota import QuotaLedger

log = structlog.get_logger()

BATCH = 20
"""Requests in one ``$batch`` (Microsoft Graph, JSON batching)."""

RETRY = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Look:
    """Whose message is to be looked at: Teams users by person."""

    app: TeamsApp
    users: Mapping[str, str]


class StatusMessageWriter:
    """Sets, renews and takes away the status messages of integrations."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._clock = context.clock
        self._random = context.random
        self._metrics = context.metrics

    async def tell(self, integration_id: str) -> None:
        """The job: rounds until nobody is due."""
        while look := await self._pick(integration_id):
            service = self._clients.presence(look.app)
            try:
                found = await service.messages(sorted(set(look.users.values())))
            except SyncError as error:
                await self._put_off(integration_id, look, error)
                return
            sendings = await self._prepare(integration_id, look, found)
            outcomes = await _send(service, [change for _, change in sendings])
            await self._store(integration_id, sendings, outcomes)

    async def read(self, integration_id: str, user_ids: Sequence[str]) -> dict[str, str]:
        """The status messages of these Teams users, at most 650, within the quota. Raises ``SyncError``."""
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
        return await self._clients.presence(app).messages(user_ids)

    async def _pick(self, integration_id: str) -> Look | None:
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            opened = await problems.list_open(session, integration_id)
            if integration is None or health.lasting(opened, health.TEAMS):
                return None
            rows = await people.lock_status_message_due(session, integration_id, now, BATCH)
            wait_until, left = self._allowance(sharing.values(), now)
            if rows and left < 2:
                await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id, at=wait_until or now + RETRY)
                return None
            try:
                app = self._credentials.app(integration)
            except CredentialsWrong:
                return None
            looked_at = rows[: left - 1]
            for person in looked_at:
                if not plan.needs_look(person, integration, now):
                    person.status_due_at = None
            session.add_all(looked_at)
            users = {each.id: plan.user_to_read(each, integration) for each in looked_at if each.status_due_at}
            if users:
                self._quota.reserve(integration, 1, now)
            return Look(app, users) if looked_at else None

    def _allowance(self, sharing: Collection[Integration], now: datetime) -> tuple[datetime | None, int]:
        wait_until, left = self._quota.allowance(sharing, now)
        return wait_until, left - self._quota.limit // 2

    async def _prepare(
        self, integration_id: str, look: Look, found: Mapping[str, str]
    ) -> list[tuple[str, MessageChange]]:
        """Decide by what stands there and by the newest state, and store what is about to be sent."""
        now = self._clock()
        sendings: list[tuple[str, MessageChange]] = []
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return []
            for person in (await people.by_ids(session, list(look.users))).values():
                user = look.users[person.id]
                if plan.user_to_read(person, integration) != user:
                    continue
                change = plan.change_for(person, integration, found.get(user), now)
                plan.mark_message(person, change)
                person.status_due_at = now if change else None
                session.add(person)
                if change:
                    sendings.append((person.id, change))
            self._quota.reserve(integration, len(sendings), now)
        return sendings

    async def _store(
        self, integration_id: str, sendings: Sequence[tuple[str, MessageChange]], outcomes: Sequence[Outcome]
    ) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            rows = await people.by_ids(session, [person_id for person_id, _ in sendings])
            for (person_id, change), outcome in zip(sendings, outcomes, strict=True):
                kind = "set_message" if isinstance(change, SetMessage) else "clear_message"
                self._metrics.changes.labels(kind=kind, outcome=type(outcome).__name__.lower()).inc()
                person = rows.get(person_id)
                if integration and person:
                    self._settle(person, integration, change, outcome, now)
                    session.add(person)
            if integration:
                self._block_throttled(integration, outcomes, now)
                session.add(integration)

    def _settle(
        self, person: Person, integration: Integration, change: MessageChange, outcome: Outcome, now: datetime
    ) -> None:
        """Store what became of one change, and whether to look again."""
        match outcome:
            case Done():
                plan.mark_message_accepted(person, change)
                person.status_due_at = now if plan.needs_look(person, integration, now) else None
            case Throttled(retry_after):
                person.status_due_at = now + timedelta(seconds=retry_after)
            case Failed():
                person.status_due_at = now + RETRY * self._random.uniform(0.75, 1.5)
            case Refused():
                plan.forget_message(person)
                person.status_due_at = None

    def _block_throttled(self, integration: Integration, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Graph's Retry-After applies to presence too."""
        waits = [outcome.retry_after for outcome in outcomes if isinstance(outcome, Throttled)]
        if waits:
            self._quota.block(integration, now + timedelta(seconds=max(waits)))

    async def _put_off(self, integration_id: str, look: Look, error: SyncError) -> None:
        wait = timedelta(seconds=getattr(error, "retry_after", None) or 0)
        again = self._clock() + max(wait, RETRY * self._random.uniform(0.75, 1.5))
        log.info("messages_not_read", fault=error.fault.value, people=len(look.users))
        async with self._database.writing() as session:
            await integrations.get_for_update(session, integration_id)
            for person in (await people.by_ids(session, list(look.users))).values():
                person.status_due_at = again
                session.add(person)


async def _send(service: PresenceService, changes: Sequence[MessageChange]) -> list[Outcome]:
    if not changes:
        return []
    try:
        return await service.push(changes)
    except SyncError as error:
        return [Failed(error)] * len(changes)
