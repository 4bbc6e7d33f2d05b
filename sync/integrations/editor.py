"""Changes an integration without deleting it: its name, its CloudLink side, its Teams side.

What is new is proven before it is stored. An edit names the ``revision`` it was begun at and is stored only if
that still is the integration's, in one ``UPDATE``: of two administrators at once, the second loses nothing but
the attempt. Who did it is recorded in the same transaction, so that the second can be told.
"""

from dataclasses import replace
from datetime import date
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import history, integrations, people, rotations
from storage.tables.integrations import Integration
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
    NameTaken,
    Service,
    TeamsApp,
    UnknownIntegration,
)
from sync.integrations.teardown import TenantTeardown
from sync.people.directory_sync import DirectorySync
from sync.phones.subscriptions import new_webhook_endpoint
from sync.problems import health


class Editor:
    """Stores edits. Each method raises ``UnknownIntegration`` and ``EditedMeanwhile``."""

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

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> Integration:
        """Raises ``NameTaken``."""
        async with self._database.writing() as session:
            before = await self._find(session, owner_tenant, integration_id, revision, lock=True)
            if await integrations.is_name_taken(session, owner_tenant, name, but=integration_id):
                raise NameTaken(name)
            facts = {"from": before.name, "to": name}
            return await self._revise(session, before, revision, "rename", facts, by, name=name)

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> Integration:
        """Prove ``account`` and store it; an empty secret keeps the one there is. Raises ``SyncError``."""
        before = await self._read(owner_tenant, integration_id, revision)
        facts = _changed(account_facts(before), _facts_of_account(account), bool(account.client_secret))
        if not account.client_secret:
            account = replace(account, client_secret=self._credentials.account(before).client_secret)
        phones = self._clients.fresh_phones(account)
        await phones.account_name()
        await phones.users()
        has_moved = account.account_id != before.cloudlink_account_id
        values: dict[str, Any] = {
            "cloudlink_region": account.region,
            "cloudlink_account_id": account.account_id,
            "cloudlink_client_id": account.client_id,
            "cloudlink_secret_sealed": self._credentials.encrypt(account.client_secret),
            **(
                new_webhook_endpoint(self._credentials)[1]
                if account_facts(before) != _facts_of_account(account)
                else {}
            ),
        }
        async with self._database.writing() as session:
            current = await self._find(session, owner_tenant, integration_id, revision, lock=True)
            edited = await self._revise(session, current, revision, "edit_cloudlink", facts, by, **values)
            if has_moved:
                await people.clear_extensions(session, integration_id, current_cause(), self._clock())
            await health.mark_healthy(session, integration_id, [Service.CLOUDLINK], self._clock())
        if edited.subscription_id != before.subscription_id:
            await self._teardown.unsubscribe(before)
        await self._follow_up(edited)
        return edited

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
    ) -> Integration:
        """Prove ``app`` and store it; an empty secret keeps the credential there is. Raises ``SyncError``.

        Another tenant or application: what Teams shows from us is first taken back with the old credentials,
        as far as they still serve, for the new ones cannot.
        """
        before = await self._read(owner_tenant, integration_id, revision)
        facts = _changed(app_facts(before), _facts_of_app(app), bool(app.client_secret))
        has_moved = app_facts(before) != _facts_of_app(app)
        values = self._teams_values(before, app, expires_on, has_moved)
        async with self._clients.fresh_directory(self._whole(before, app, has_moved)) as directory:
            await directory.organisation()
        if has_moved:
            await self._teardown.take_back(before)
        now = self._clock()
        async with self._database.writing() as session:
            current = await self._find(session, owner_tenant, integration_id, revision, lock=True)
            edited = await self._revise(session, current, revision, "edit_teams", facts, by, **values)
            left = await people.unmatch_all(session, integration_id) if has_moved else []
            if has_moved or app.client_secret:
                await rotations.cancel_open(session, integration_id, now)
            await health.mark_healthy(session, integration_id, health.TEAMS, now)
            await people.make_pending_due(session, integration_id, now)
        if has_moved:
            await self._teardown.clear(before, left)
        await self._follow_up(edited)
        return edited

    def _teams_values(
        self, before: Integration, app: TeamsApp, expires_on: date | None, has_moved: bool
    ) -> dict[str, Any]:
        values: dict[str, Any] = {"tenant_id": app.tenant_id, "client_id": app.client_id}
        if app.client_secret:
            values |= {
                "client_secret_sealed": self._credentials.encrypt(app.client_secret),
                "credential": CredentialKind.SECRET.value,
                "certificate_sealed": None,
                "secret_key_id": "",
            }
        if has_moved or app.client_secret:
            values |= {
                "previous_secret_sealed": None,
                "pending_certificate_sealed": None,
                "expiry_checked_at": None,
            }
        if app.client_secret or expires_on != before.secret_expires_on:
            values |= {"secret_expires_on": expires_on, "expiry_source": _source(expires_on)}
        return values

    def _whole(self, before: Integration, app: TeamsApp, has_moved: bool) -> TeamsApp:
        """``app`` with the credential there is, if it brings none; a secret opens no other application."""
        if app.client_secret:
            return app
        kept = self._credentials.app(before)
        if has_moved and kept.kind is CredentialKind.SECRET:
            raise CredentialsWrong(Fault.ENTRA_SECRET_WRONG)
        return replace(kept, tenant_id=app.tenant_id, client_id=app.client_id)

    async def _follow_up(self, edited: Integration) -> None:
        """Match anew at once; what is not enabled has no jobs, and is matched here if that can be."""
        if edited.enabled:
            for job in (MATCH, SUBSCRIBE, POLL, PUSH):
                await self._jobs.defer(job, edited.id)
            return
        try:
            await self._directory_sync.refresh(edited)
        except SyncError as error:
            async with self._database.writing() as session:
                if await health.is_unchanged(session, edited):
                    await health.mark_unhealthy(session, edited.id, error, self._clock())

    async def _read(self, owner_tenant: str, integration_id: str, revision: int) -> Integration:
        async with self._database.session() as session:
            return await self._find(session, owner_tenant, integration_id, revision)

    async def _find(
        self, session: AsyncSession, owner_tenant: str, integration_id: str, revision: int, *, lock: bool = False
    ) -> Integration:
        integration = await integrations.get_owned(session, owner_tenant, integration_id, lock=lock)
        if integration is None:
            raise UnknownIntegration(integration_id)
        if integration.revision != revision:
            raise EditedMeanwhile(integration_id)
        return integration

    async def _revise(
        self,
        session: AsyncSession,
        before: Integration,
        revision: int,
        act: str,
        facts: dict[str, Any],
        by: Actor,
        **values: Any,
    ) -> Integration:
        """Store ``values``, the next revision and the act, or raise ``EditedMeanwhile``."""
        name = before.name
        edited = await integrations.update_if_unchanged(session, before, revision, values)
        if edited is None:
            raise EditedMeanwhile(before.id)
        await history.record(
            session,
            owner_tenant=edited.owner_tenant,
            integration_id=edited.id,
            integration_name=name,
            actor_id=by.id,
            actor_name=by.name,
            act=act,
            result=history.DONE,
            facts=facts,
            now=self._clock(),
        )
        return edited


def account_facts(integration: Integration) -> dict[str, str]:
    """The CloudLink side but for its secret, by the fields' names."""
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
    """The Teams side but for its credential, by the fields' names. Entra's ids know no letter case."""
    return {"tenant_id": integration.tenant_id.lower(), "client_id": integration.client_id.lower()}


def _facts_of_app(app: TeamsApp) -> dict[str, str]:
    return {"tenant_id": app.tenant_id.lower(), "client_id": app.client_id.lower()}


def _changed(before: dict[str, str], after: dict[str, str], has_new_secret: bool) -> dict[str, Any]:
    """What history keeps of an edit: the new value of each field that changed, and whether the secret did."""
    facts: dict[str, Any] = {name: value for name, value in after.items() if before[name] != value}
    return facts | ({"new_secret": "yes"} if has_new_secret else {})


def _source(expires_on: date | None) -> str:
    return ExpirySource.ADMIN.value if expires_on else ExpirySource.UNKNOWN.value
