"""What an administrator can do with integrations; implements the conversation's ``IntegrationsPort``.

Every call carries the tenant of who asks: an integration of another tenant does not exist.
"""

from builtins import list as list_of
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import events as event_store
from storage.queries import integrations, monitors, people, problems
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain import features
from sync.domain.context import Context
from sync.domain.jobs import MATCH, POLL, PUSH, REMOVE, SUBSCRIBE
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    CloudLinkCheck,
    CredentialKind,
    ExpirySource,
    IntegrationView,
    NameTaken,
    Preview,
    Probe,
    Status,
    TeamsApp,
    TeamsCheck,
    UnknownIntegration,
    Unmatched,
    UnmatchedPerson,
    WouldSend,
)
from sync.domain.presence import LineState, Presence
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.people.directory_sync import DirectorySync
from sync.phones.poller import CHUNK, PAUSE, Poller
from sync.phones.subscriptions import new_webhook_endpoint
from sync.problems import health
from sync.updates import available

PREVIEWED = 250
"""At most so many phones are asked for a preview; with more people the rest is asked after enabling."""

IN_A_CALL = (LineState.ON_CALL.value, LineState.IN_CONFERENCE.value)


@dataclass(frozen=True, slots=True)
class Reach:
    """How changes reach us: whether CloudLink can call us, and how often (at least) we ask it."""

    has_public_url: bool
    poll_every: timedelta


class IntegrationService:
    """Everything here returns when it is stored; what takes the network goes on as a job."""

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        directory_sync: DirectorySync,
        poller: Poller,
        connection_test: ConnectionTest,
        reach: Reach,
        editor: Editor,
        newcomers_at: int = features.NEWEST,
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._directory_sync = directory_sync
        self._poller = poller
        self._connection_test = connection_test
        self._jobs = context.jobs
        self._clock = context.clock
        self._reach = reach
        self._editor = editor
        self._newcomers_at = newcomers_at

    async def check_cloudlink(self, account: CloudLinkAccount) -> CloudLinkCheck:
        """Token, account, users, with fresh credentials; nothing stored. Raises ``SyncError``."""
        phones = self._clients.fresh_phones(account)
        name = await phones.account_name()
        return CloudLinkCheck(name, len(await phones.users()))

    async def check_teams(self, app: TeamsApp) -> TeamsCheck:
        """A fresh token, the roles in it, one directory read; nothing stored. Raises ``SyncError``."""
        async with self._clients.fresh_directory(app) as directory:
            return TeamsCheck(await directory.organisation())

    async def add(
        self,
        owner_tenant: str,
        name: str,
        account: CloudLinkAccount,
        app: TeamsApp,
        expires_on: date | None,
        status_text: str = "",
    ) -> IntegrationView:
        """Store a new integration, not yet enabled. Prove both sides first. Raises ``NameTaken``.

        ``status_text`` is the status message of whoever is on the phone; without it none is shown.
        """
        integration = Integration(
            owner_tenant=owner_tenant,
            name=name,
            feature_version=self._newcomers_at,
            status_text=status_text if self._newcomers_at >= features.STATUS_MESSAGES else "",
            created_at=self._clock(),
            cloudlink_region=account.region,
            cloudlink_account_id=account.account_id,
            cloudlink_client_id=account.client_id,
            cloudlink_secret_sealed=self._credentials.encrypt(account.client_secret),
            tenant_id=app.tenant_id,
            client_id=app.client_id,
            client_secret_sealed=self._credentials.encrypt(app.client_secret),
            secret_expires_on=expires_on,
            expiry_source=(ExpirySource.ADMIN if expires_on else ExpirySource.UNKNOWN).value,
            **new_webhook_endpoint(self._credentials)[1],
        )
        async with self._database.writing() as session:
            if await integrations.is_name_taken(session, owner_tenant, name):
                raise NameTaken(name)
            session.add(integration)
        return view_of(integration)

    async def list(self, owner_tenant: str) -> list_of[IntegrationView]:
        """The tenant's integrations, oldest first."""
        async with self._database.session() as session:
            return [view_of(row) for row in await integrations.list_owned(session, owner_tenant)]

    async def preview(self, owner_tenant: str, integration_id: str) -> Preview:
        """Read both directories and the phones now, match, and tell what enabling would do.

        Stores the matching and the lines, so that enabling is quick. Raises ``SyncError``.
        """
        integration = await self._owned(owner_tenant, integration_id)
        await self._directory_sync.refresh(integration)
        await self._poller.refresh(integration, at_most=PREVIEWED)
        async with self._database.session() as session:
            return preview_of(await people.list_present(session, integration_id))

    async def enable(self, owner_tenant: str, integration_id: str) -> IntegrationView:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            integration.enabled = True
            session.add(integration)
            await people.make_pending_due(session, integration_id, now)
        for job in (PUSH, POLL, MATCH, SUBSCRIBE):
            await self._jobs.defer(job, integration_id)
        return view_of(integration)

    async def disable(self, owner_tenant: str, integration_id: str) -> int:
        """Stop, and clear what we set; returns how many people are being cleared."""
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            cleared = await self._stop(session, integration)
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(SUBSCRIBE, integration_id)
        return cleared

    async def remove(self, owner_tenant: str, integration_id: str) -> None:
        """Stop, clear what we set, forget the secrets and the integration; it cannot be seen from now on."""
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            await self._stop(session, integration)
            integration.removing_since = self._clock()
        await self._jobs.defer(REMOVE, integration_id)

    async def _stop(self, session: AsyncSession, integration: Integration) -> int:
        integration.enabled = False
        integration.polled_at = None
        session.add(integration)
        return await people.clear_desired(session, integration.id, current_cause(), self._clock())

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        """Raises ``EditedMeanwhile``, ``NameTaken``."""
        return view_of(await self._editor.rename(owner_tenant, integration_id, revision, name, by))

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> IntegrationView:
        """Prove and store; an empty secret keeps the one there is. Raises ``SyncError``, ``EditedMeanwhile``."""
        return view_of(await self._editor.edit_cloudlink(owner_tenant, integration_id, revision, account, by))

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
    ) -> IntegrationView:
        """Prove and store; an empty secret keeps the one there is. Raises ``SyncError``, ``EditedMeanwhile``."""
        return view_of(await self._editor.edit_teams(owner_tenant, integration_id, revision, app, expires_on, by))

    async def status(self, owner_tenant: str, integration_id: str) -> Status:
        async with self._database.session() as session:
            integration = await self._find(session, owner_tenant, integration_id)
            opened = await problems.list_open(session, integration_id)
            counts = await people.counts(session, integration_id, IN_A_CALL)
            unknown = await event_store.list_unknown_states(session, integration_id)
            monitors_open = await monitors.count_open_tasks(session, integration_id)
        live = self._reach.has_public_url and bool(integration.subscription_id)
        return Status(
            integration=view_of(integration),
            service_health=health.service_health(opened),
            people=counts.people,
            matched=counts.matched,
            in_a_call=counts.in_a_call,
            waiting=counts.waiting,
            last_change_at=integration.last_change_at,
            live=live,
            worst_age=1 if live else self._worst_age(counts.matched),
            unknown_states=tuple(unknown),
            monitors_open=monitors_open,
            update=available(integration),
        )

    def _worst_age(self, phones: int) -> int:
        """Seconds between two looks at a phone; many phones take longer than the interval to ask politely."""
        return int(max(self._reach.poll_every.total_seconds(), phones / CHUNK * PAUSE))

    async def test_connection(self, owner_tenant: str, integration_id: str) -> tuple[Probe, ...]:
        return await self._connection_test.test(await self._owned(owner_tenant, integration_id))

    async def _owned(self, owner_tenant: str, integration_id: str) -> Integration:
        async with self._database.session() as session:
            return await self._find(session, owner_tenant, integration_id)

    async def _find(
        self, session: AsyncSession, owner_tenant: str, integration_id: str, *, lock: bool = False
    ) -> Integration:
        integration = await integrations.get_owned(session, owner_tenant, integration_id, lock=lock)
        if integration is None:
            raise UnknownIntegration(integration_id)
        return integration


def view_of(integration: Integration) -> IntegrationView:
    return IntegrationView(
        id=integration.id,
        name=integration.name,
        enabled=integration.enabled,
        cloudlink_region=integration.cloudlink_region,
        cloudlink_account_id=integration.cloudlink_account_id,
        cloudlink_client_id=integration.cloudlink_client_id,
        tenant_id=integration.tenant_id,
        client_id=integration.client_id,
        secret_expires_on=integration.secret_expires_on,
        created_at=integration.created_at,
        feature_version=integration.feature_version,
        credential=CredentialKind(integration.credential),
        expiry_source=ExpirySource(integration.expiry_source),
        auto_rotate=integration.auto_rotate,
        revision=integration.revision,
    )


def preview_of(rows: list_of[Person]) -> Preview:
    matched = [person for person in rows if person.teams_user_id]
    return Preview(
        matched=len(matched),
        unmatched=tuple(
            UnmatchedPerson(person.name, person.address, Unmatched(person.unmatched))
            for person in rows
            if person.unmatched
        ),
        would_send=tuple(
            WouldSend(person.name, LineState(person.line), Presence(person.desired))
            for person in matched
            if person.desired
        ),
    )
