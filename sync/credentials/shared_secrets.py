"""A client secret belongs to the application: each integration of the customer that holds it gets the new one.

Another customer's integration is never touched. It may be a former partner's, whom the rotation shuts out.
"""

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, rotations
from storage.tables.integrations import Integration
from sync.audit import Act
from sync.credentials.rotation_store import RotationStore, end
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong
from sync.domain.jobs import EXPIRY, PUSH, ROTATE
from sync.domain.model import Actor
from sync.domain.rotation import BY_THE_BOT, RotationKind, RotationStep


class SharedSecrets:
    """Finds the customer's other integrations with the same application, and hands a new secret on to them."""

    def __init__(self, context: Context, credentials: CredentialStore, store: RotationStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._jobs = context.jobs
        self._clock = context.clock
        self._rotations = store

    async def others(self, integration: Integration) -> list[Integration]:
        async with self._database.session() as session:
            return await _others(session, integration)

    async def are_rotating(self, integration: Integration) -> bool:
        """Whether one of the others has a rotation that has not ended."""
        async with self._database.session() as session:
            others = await _others(session, integration)
            return any([await rotations.get_open(session, each.id) is not None for each in others])

    def secret_of(self, integration: Integration) -> str:
        """The secret in use; empty without one, or if no key decrypts it."""
        try:
            return self._credentials.app(integration).client_secret
        except CredentialsWrong:
            return ""

    async def hand_on(self, integration: Integration, by: Actor) -> None:
        """Use the proven secret of ``integration`` wherever its previous one is in use; each proves it for itself.

        May be repeated: who has the new secret does not hold the previous one.
        """
        previous = self._credentials.previous(integration)
        new = self._credentials.current(integration)
        if previous is None or not previous.secret or not new.secret:
            return
        for holder in await self.others(integration):
            if await self._swap(holder, previous.secret, new, by):
                for job in (PUSH, ROTATE, EXPIRY):
                    await self._jobs.defer(job, holder.id)

    async def _swap(self, holder: Integration, old: str, new: Credentials, by: Actor) -> bool:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, holder.id)
            if integration is None or self.secret_of(integration) != old:
                return False
            rotation = await rotations.get_open(session, integration.id)
            if rotation and rotation.kind in BY_THE_BOT:
                return False
            if rotation:
                end(rotation, RotationStep.DONE, now)
            await self._credentials.replace(session, integration, new, now)
            rotation = self._rotations.begin(session, integration, RotationKind.SHARED, RotationStep.PROVE, by)
            rotation.expires_on = new.expires_on
            rotation.secret_sealed = self._credentials.encrypt(new.secret, rotation, "secret_sealed")
            await self._rotations.record(session, Act.ROTATE, integration, rotation)
        return True


async def _others(session: AsyncSession, integration: Integration) -> list[Integration]:
    sharing = await integrations.list_sharing(session, integration)
    return [each for each in sharing if each.owner_tenant == integration.owner_tenant and not each.removing_since]
