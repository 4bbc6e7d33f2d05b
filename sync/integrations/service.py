"""The life of an integration: added, listed, enabled, disabled, removed.

Each call returns when its change is stored; calls to CloudLink and Microsoft follow in jobs.
"""

from builtins import list as list_of
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import history, integrations, polls
from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog, Subject
from sync.credentials.store import CredentialStore
from sync.domain import features
from sync.domain.context import Context
from sync.domain.jobs import MATCH, POLL, PUSH, REMOVE, SUBSCRIBE
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    ExpirySource,
    IntegrationView,
    NameTaken,
    TeamsApp,
    TeamsCheck,
    TooManyIntegrations,
    UnknownIntegration,
)
from sync.integrations.equality import check_new
from sync.integrations.left_quota import take_up_quota
from sync.integrations.views import integration_view
from sync.phones.subscriptions import new_webhook_endpoint
from sync.problems.health import DIRECTORY
from sync.problems.incidents import EFFECT, EVENTS
from sync.tenancy import owned


class IntegrationService:
    """All methods but ``add`` and ``list`` raise ``UnknownIntegration``. Each change is recorded as done ``by``.

    ``initial_version`` is the feature version of new integrations, ``limit`` how many a tenant may have.
    """

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        initial_version: int = features.INITIAL,
        limit: int = 20,
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)
        self._initial_version = initial_version
        self._limit = limit

    async def add(
        self,
        owner_tenant: str,
        name: str,
        account: CloudLinkAccount,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
        status_text: str = "",
        check: TeamsCheck | None = None,
    ) -> IntegrationView:
        """Store a new integration, not yet enabled; test both sets of credentials first.

        Raises ``NameTaken``, ``TooManyIntegrations`` and ``AlreadySetUp``.

        ``status_text`` is the status message of people on the phone; if empty, none is set. An expiry that
        ``check`` found replaces ``expires_on``.
        """
        subject = Subject(owner_tenant, name=name)
        async with self._audit.attempt(Act.SETUP, by, subject):
            integration = self._new(subject, account, app, expires_on)
            if check and check.expires_on:
                integration.secret_expires_on, integration.secret_key_id = check.expires_on, check.secret_id
                integration.expiry_source = ExpirySource.GRAPH.value
            if self._initial_version >= features.STATUS_MESSAGES:
                integration.status_text = status_text
            async with self._database.writing() as session:
                if await integrations.is_name_taken(session, owner_tenant, name):
                    raise NameTaken(name)
                await self._check_room(session, owner_tenant)
                await check_new(session, integration)
                session.add(integration)
                await take_up_quota(session, integration)
                await self._audit.record(session, Act.SETUP, by, integration)
                await self._audit.record_use(session, owner_tenant, app)
        return integration_view(integration)

    async def check_room(self, owner_tenant: str) -> None:
        """Raises ``TooManyIntegrations`` when the tenant may not have another one."""
        async with self._database.session() as session:
            await self._check_room(session, owner_tenant)

    async def _check_room(self, session: AsyncSession, owner_tenant: str) -> None:
        if len(await integrations.list_owned(session, owner_tenant)) >= self._limit:
            raise TooManyIntegrations(self._limit)

    async def list(self, owner_tenant: str) -> list_of[IntegrationView]:
        """The tenant's integrations, oldest first."""
        async with self._database.session() as session:
            return [integration_view(row) for row in await integrations.list_owned(session, owner_tenant)]

    async def enable(self, owner_tenant: str, integration_id: str, by: Actor) -> IntegrationView:
        """Start to show calls in Teams."""
        async with (
            self._audit.attempt(Act.ENABLE, by, Subject(owner_tenant, integration_id)),
            self._database.writing() as session,
        ):
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if not integration.enabled:
                integration.enabled, integration.enabled_at = True, self._clock()
            await people.make_pending_due(session, integration_id, self._clock(), refused=True)
            await self._audit.record(session, Act.ENABLE, by, integration)
        for job in (PUSH, POLL, MATCH, SUBSCRIBE):
            await self._jobs.defer(job, integration_id)
        return integration_view(integration)

    async def disable(self, owner_tenant: str, integration_id: str, by: Actor) -> int:
        """Stop, and clear the presence that we set; returns for how many people it is being cleared."""
        async with (
            self._audit.attempt(Act.DISABLE, by, Subject(owner_tenant, integration_id)),
            self._database.writing() as session,
        ):
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            cleared = await self._stop(session, integration)
            await self._audit.record(session, Act.DISABLE, by, integration)
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(SUBSCRIBE, integration_id)
        return cleared

    async def remove(self, owner_tenant: str, integration_id: str, by: Actor) -> None:
        """Stop, clear the presence that we set, delete the integration and its secrets.

        The tenant does not see it any more; a job finishes the removal.
        """
        async with (
            self._audit.attempt(Act.REMOVE, by, Subject(owner_tenant, integration_id)),
            self._database.writing() as session,
        ):
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            await self._stop(session, integration)
            integration.removing_since = self._clock()
            await self._audit.record(session, Act.REMOVE, by, integration)
        await self._jobs.defer(REMOVE, integration_id)

    async def left_by_removal(self, owner_tenant: str, integration_id: str) -> int | None:
        """How many statuses a removal that has ended left to expire; None while it goes on.

        Raises ``UnknownIntegration`` if the tenant began none.
        """
        async with self._database.session() as session:
            row = await integrations.get(session, integration_id)
            begun = await history.latest(session, owner_tenant, integration_id, (Act.REMOVE, Act.REMOVED))
        if begun is None or (row and row.removing_since is None):
            raise UnknownIntegration
        return int(begun.facts.get("left", 0)) if row is None else None

    def _new(
        self, subject: Subject, account: CloudLinkAccount, app: TeamsApp, expires_on: date | None
    ) -> Integration:
        """The row of a new integration, not yet enabled, with a webhook endpoint of its own."""
        integration = Integration(
            owner_tenant=subject.owner_tenant,
            name=subject.name,
            feature_version=self._initial_version,
            created_at=self._clock(),
            cloudlink_region=account.region,
            cloudlink_account_id=account.account_id,
            cloudlink_client_id=account.client_id,
            cloudlink_secret_sealed="",
            tenant_id=app.tenant_id.lower(),
            client_id=app.client_id.lower(),
            client_secret_sealed="",
            secret_expires_on=expires_on,
            expiry_source=(ExpirySource.ADMIN if expires_on else ExpirySource.UNKNOWN).value,
            webhook_token_sealed="",
            webhook_token_hash="",
        )
        for column, secret in (
            ("cloudlink_secret_sealed", account.client_secret),
            ("client_secret_sealed", app.client_secret),
        ):
            setattr(integration, column, self._credentials.encrypt(secret, integration, column))
        integration.sqlmodel_update(new_webhook_endpoint(self._credentials, integration)[1])
        return integration

    async def _stop(self, session: AsyncSession, integration: Integration) -> int:
        integration.enabled, integration.enabled_at = False, None
        integration.polled_at = None
        await polls.clear(session, integration.id)
        await problems.close_open(session, integration.id, [DIRECTORY, EVENTS, EFFECT], self._clock())
        return await people.clear_desired(session, integration.id, current_cause(), self._clock())
