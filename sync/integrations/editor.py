"""Edits a stored integration: its name, its CloudLink account, its Teams application.

New credentials are tested before they are stored. An edit names the ``revision`` it was begun at and is stored only
if that is still the integration's revision, in one ``UPDATE``: of two administrators who edit at the same time, the
second stores nothing. The edit and its record in the audit log are one transaction, so the second administrator can
be shown who was first.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import integrations, rotations
from storage.queries.people import people
from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog, Subject
from sync.credentials.new_secrets import Waiting, once_known
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.jobs import MATCH, POLL, PUSH, SUBSCRIBE
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    CredentialKind,
    EditedMeanwhile,
    ExpirySource,
    IntegrationView,
    NameTaken,
    Service,
    TeamsApp,
)
from sync.integrations.account_check import check_account
from sync.integrations.equality import check_moved
from sync.integrations.left_quota import leave_quota, take_up_quota
from sync.integrations.teardown import TenantTeardown
from sync.integrations.views import integration_view
from sync.people.directory_sync import DirectorySync
from sync.phones.subscriptions import new_webhook_endpoint
from sync.problems import health
from sync.tenancy import owned


class Editor:
    """Each method raises ``UnknownIntegration`` and ``EditedMeanwhile``; a failure is recorded, like a success."""

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        directory_sync: DirectorySync,
        teardown: TenantTeardown,
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._directory_sync = directory_sync
        self._teardown = teardown
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        """Raises ``NameTaken``."""
        subject = Subject(owner_tenant, integration_id)
        async with (
            self._audit.attempt(Act.RENAME, by, subject, {"to": name}),
            self._database.writing() as session,
        ):
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            if await integrations.is_name_taken(session, owner_tenant, name, but=integration_id):
                raise NameTaken(name)
            facts = {"from": before.name, "to": name}
            edited = await self._revise(session, before, {"name": name}, Act.RENAME, facts, by)
        return integration_view(edited)

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> IntegrationView:
        """Test ``account`` and store it; an empty secret keeps the stored one.

        Raises ``SyncError``, and ``AlreadySetUp`` before any service is called.
        """
        async with self._audit.attempt(Act.EDIT_CLOUDLINK, by, Subject(owner_tenant, integration_id)):
            moved = {"cloudlink_account_id": account.account_id}
            before = await self._read(owner_tenant, integration_id, revision, moved)
            has_secret = bool(account.client_secret)
            if not has_secret:
                account = replace(account, client_secret=self._credentials.account(before).client_secret)
            account = replace(account, region=(await check_account(self._clients, account)).region)
            facts = _changes(account_facts(before), _facts_of_account(account), has_secret)
            edited = await self._store_account(before, account, facts, by)
            if edited.subscription_id != before.subscription_id:
                await self._teardown.unsubscribe(before)
            await self._follow_up(edited)
        return integration_view(edited)

    async def _store_account(
        self, before: Integration, account: CloudLinkAccount, facts: Mapping[str, Any], by: Actor
    ) -> Integration:
        """Another account or client gets another webhook endpoint: events of the old one are not accepted."""
        has_changed = account_facts(before) != _facts_of_account(account)
        values: dict[str, Any] = {
            "cloudlink_region": account.region,
            "cloudlink_account_id": account.account_id,
            "cloudlink_client_id": account.client_id,
            "cloudlink_secret_sealed": self._credentials.encrypt(
                account.client_secret, before, "cloudlink_secret_sealed"
            ),
            **(new_webhook_endpoint(self._credentials, before)[1] if has_changed else {}),
        }
        async with self._database.writing() as session:
            current = await owned(session, before.owner_tenant, before.id, before.revision, lock=True)
            edited = await self._revise(session, current, values, Act.EDIT_CLOUDLINK, facts, by)
            if account.account_id != before.cloudlink_account_id:
                await people.clear_extensions(session, before.id, current_cause(), self._clock())
            await health.mark_healthy(session, before.id, [Service.CLOUDLINK], self._clock())
        return edited

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
        waiting: Waiting | None = None,
    ) -> IntegrationView:
        """Test ``app`` and store it; an empty secret keeps the stored credentials, a new one is waited for.

        Raises ``SyncError``, and ``AlreadySetUp`` before any service is called.

        With another tenant or application, the presence that we set is first cleared with the old credentials, as
        far as they still work, because the new ones cannot reach it. People are then matched again.
        """
        async with self._audit.attempt(Act.EDIT_TEAMS, by, Subject(owner_tenant, integration_id)):
            moved = _facts_of_app(app)
            before = await self._read(owner_tenant, integration_id, revision, moved)
            has_moved = app_facts(before) != _facts_of_app(app)
            tested = self._with_stored_credentials(before, app, has_moved)
            async with self._audit.using(owner_tenant, tested):
                await once_known(app.client_secret, partial(self._read_directory, tested), waiting)
            if has_moved:
                await self._teardown.clear_all(before)
            edited, left = await self._store_app(before, app, expires_on, has_moved, by)
            if has_moved:
                await self._teardown.clear(before, left)
            await self._follow_up(edited)
        return integration_view(edited)

    async def _read_directory(self, app: TeamsApp) -> None:
        async with self._clients.fresh_directory(app) as directory:
            await directory.organisation()

    async def correct_expiry(
        self, owner_tenant: str, integration_id: str, revision: int, expires_on: date, by: Actor
    ) -> IntegrationView:
        """Store the last day of the client secret, as an administrator read it in Azure; nothing is tested."""
        subject, facts = Subject(owner_tenant, integration_id), {"expires_on": expires_on.isoformat()}
        values = {"secret_expires_on": expires_on, "expiry_source": ExpirySource.ADMIN.value}
        async with (
            self._audit.attempt(Act.EDIT_TEAMS, by, subject, facts),
            self._database.writing() as session,
        ):
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            return integration_view(await self._revise(session, before, values, Act.EDIT_TEAMS, facts, by))

    async def _store_app(
        self, before: Integration, app: TeamsApp, expires_on: date | None, has_moved: bool, by: Actor
    ) -> tuple[Integration, list[str]]:
        """The edited integration, and the users of the old tenant whose presence is left to be cleared."""
        now = self._clock()
        facts = _changes(app_facts(before), _facts_of_app(app), bool(app.client_secret))
        values = self._teams_values(before, app, expires_on, has_moved)
        async with self._database.writing() as session:
            if has_moved:
                await leave_quota(session, before.id, now)
            current = await owned(session, before.owner_tenant, before.id, before.revision, lock=True)
            edited = await self._revise(session, current, values, Act.EDIT_TEAMS, facts, by)
            left = await people.unmatch_all(session, before.id) if has_moved else []
            if has_moved:
                await take_up_quota(session, edited)
                await self._audit.record_use(session, before.owner_tenant, app)
            if has_moved or app.client_secret:
                await rotations.cancel_open(session, before.id, now)
            await health.mark_healthy(session, before.id, health.TEAMS, now)
            await people.make_pending_due(session, before.id, now, refused=True)
        return edited, left

    def _teams_values(
        self, before: Integration, app: TeamsApp, expires_on: date | None, has_moved: bool
    ) -> dict[str, Any]:
        values: dict[str, Any] = dict(_facts_of_app(app))
        if app.client_secret:
            values |= {
                "client_secret_sealed": self._credentials.encrypt(
                    app.client_secret, before, "client_secret_sealed"
                ),
                "credential": CredentialKind.SECRET.value,
                "certificate_sealed": None,
                "secret_key_id": "",
            }
        if has_moved or app.client_secret:
            values |= {
                "previous_secret_sealed": None,
                "pending_certificate_sealed": None,
                "expiry_checked_at": None,
                "host_proven_for": "",
            }
        if app.client_secret or expires_on != before.secret_expires_on:
            source = ExpirySource.ADMIN if expires_on else ExpirySource.UNKNOWN
            values |= {"secret_expires_on": expires_on, "expiry_source": source.value}
        return values

    def _with_stored_credentials(self, before: Integration, app: TeamsApp, has_moved: bool) -> TeamsApp:
        """``app``, with the stored credentials if it has no secret. A secret is valid for its application alone.

        What allowed the host's credentials for one application allows them for no other.
        """
        if app.client_secret:
            return replace(app, owner_tenant=before.owner_tenant)
        kept = self._credentials.app(before)
        if has_moved and kept.kind is CredentialKind.SECRET:
            raise CredentialsWrong(Fault.ENTRA_SECRET_WRONG)
        if has_moved:
            kept = replace(kept, host_allowed=self._credentials.host_is_allowed(before, app.tenant_id))
        return replace(kept, tenant_id=app.tenant_id, client_id=app.client_id)

    async def _follow_up(self, edited: Integration) -> None:
        """Match people again: in jobs if the integration is enabled, else now, as far as the services respond."""
        if edited.enabled:
            for job in (MATCH, SUBSCRIBE, POLL, PUSH):
                await self._jobs.defer(job, edited.id)
            return
        try:
            await self._directory_sync.refresh(edited, is_expected=True)
        except SyncError as error:
            async with self._database.writing() as session:
                if await health.is_unchanged(session, edited):
                    await health.mark_unhealthy(session, edited.id, error, self._clock())

    async def _read(
        self, owner_tenant: str, integration_id: str, revision: int, moved: Mapping[str, str]
    ) -> Integration:
        async with self._database.session() as session:
            before = await owned(session, owner_tenant, integration_id, revision)
            await check_moved(session, before, moved)
        return before

    async def _revise(
        self,
        session: AsyncSession,
        before: Integration,
        values: Mapping[str, Any],
        act: Act,
        facts: Mapping[str, Any],
        by: Actor,
    ) -> Integration:
        """Store ``values`` as the next revision and record the act under the name the integration had before.

        Nothing is stored or recorded when they are the ones before.
        """
        subject = Subject(before.owner_tenant, before.id, before.name)
        if all(getattr(before, name) == value for name, value in values.items()):
            return before
        await check_moved(session, before, values)
        edited = await integrations.update_if_unchanged(session, before, before.revision, values)
        if edited is None:
            raise EditedMeanwhile(before.id)
        await self._audit.record(session, act, by, subject, facts)
        return edited


def account_facts(integration: Integration) -> dict[str, str]:
    """The CloudLink account without its secret, by the names of the form's fields."""
    return {
        "region": integration.cloudlink_region,
        "account_id": integration.cloudlink_account_id,
        "cloudlink_client_id": integration.cloudlink_client_id,
    }


def _facts_of_account(account: CloudLinkAccount) -> dict[str, str]:
    return {
        "region": account.region,
        "account_id": account.account_id,
        "cloudlink_client_id": account.client_id,
    }


def app_facts(integration: Integration) -> dict[str, str]:
    """The Teams application without its credentials. Entra's ids are compared without regard to case."""
    return {"tenant_id": integration.tenant_id.lower(), "client_id": integration.client_id.lower()}


def _facts_of_app(app: TeamsApp) -> dict[str, str]:
    return {"tenant_id": app.tenant_id.lower(), "client_id": app.client_id.lower()}


def _changes(before: dict[str, str], after: dict[str, str], has_new_secret: bool) -> dict[str, Any]:
    """What is recorded of an edit: the new value of each changed field, and whether there is a new secret."""
    facts: dict[str, Any] = {name: value for name, value in after.items() if before[name] != value}
    return facts | ({"new_secret": "yes"} if has_new_secret else {})
