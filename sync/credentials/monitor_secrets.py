"""A client secret of their own for the presence monitors: made by the bot, handed over once, stored nowhere.

A secret that the bot rotates is shown to no one, so monitors that shared it need another.
"""

from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog, Subject
from sync.credentials.new_secrets import add_password, public_name, remove_named
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.model import Actor
from sync.domain.rotation import MonitorSecret
from sync.domain.services import Registration
from sync.tenancy import owned


class MonitorSecrets:
    """All methods raise ``UnknownIntegration``."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def may_make(self, owner_tenant: str, integration_id: str) -> bool:
        """Whether the application may add a secret to itself; False if that cannot be read now."""
        try:
            return await self._registration(await self._read(owner_tenant, integration_id)).may_rotate()
        except SyncError:
            return False

    async def make(self, owner_tenant: str, integration_id: str, mark: str, by: Actor) -> MonitorSecret:
        """Add a secret to the integration's application. Raises ``SyncError``.

        Its name in Azure ends with ``mark``; what an earlier attempt with the same mark added is removed first.
        """
        async with self._audit.attempt(Act.MONITORS_OWN, by, Subject(owner_tenant, integration_id)):
            integration = await self._read(owner_tenant, integration_id)
            registration = self._registration(integration)
            if not await registration.may_rotate():
                raise CredentialsWrong(Fault.GRAPH_ROTATION_FORBIDDEN)
            await remove_named(registration, mark)
            name = f"{public_name(integration.name)} monitors {mark}"
            added = await add_password(registration, name, self._clock())
            facts = {"description": name, "expires_on": added.expires_on.isoformat()}
            async with self._database.writing() as session:
                integration = await owned(session, owner_tenant, integration_id, lock=True)
                await self._audit.record(session, Act.MONITORS_OWN, by, integration, facts)
        return MonitorSecret(added.secret, name, added.expires_on)

    def _registration(self, integration: Integration) -> Registration:
        return self._clients.registration(self._credentials.app(integration))

    async def _read(self, owner_tenant: str, integration_id: str) -> Integration:
        async with self._database.session() as session:
            return await owned(session, owner_tenant, integration_id)
