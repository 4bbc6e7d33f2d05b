"""Rotates an integration's credentials step by step; each step is stored before the next begins.

If a process ends in the middle, the row says which step is next; once its lease (``lease``) has passed, another
process runs that step again. A new secret whose value was lost is found by its name, which holds the
rotation's id, and removed. In the end there is exactly one secret made by the bot, and it works.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from storage.queries import monitors
from storage.queries.people import people
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.audit import Act
from sync.credentials.expiry import matched
from sync.credentials.new_secrets import add_password, public_name, remove_named
from sync.credentials.rotation_store import MAX_PAUSE, Claim, RotationStore
from sync.credentials.shared_secrets import SharedSecrets
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.jobs import PUSH, ROTATE
from sync.domain.model import CredentialKind, ExpirySource, Service
from sync.domain.rotation import BY_THE_BOT, OldSecretLeft, RotationKind, RotationStep
from sync.domain.services import Registration
from sync.problems import health

UNAVAILABLE_PAUSE = timedelta(seconds=10)
PUSH_PAUSE = timedelta(seconds=2)
SHARED_PAUSE = timedelta(seconds=2)

PERMISSION_FAULTS = frozenset(
    {
        Fault.GRAPH_CONSENT_MISSING,
        Fault.GRAPH_FORBIDDEN,
        Fault.ENTRA_APP_DISABLED,
        Fault.ENTRA_ASSIGNMENT_REQUIRED,
        Fault.ENTRA_CONDITIONAL_ACCESS,
        Fault.ENTRA_DEVICE_POLICY,
        Fault.ENTRA_NETWORK_RESTRICTED,
        Fault.ENTRA_SERVICE_DISABLED,
        Fault.ENTRA_TENANT_BLOCKED,
    }
)
"""Refusals that have nothing to do with the credentials: the token was issued, or no credentials would help."""

log = structlog.get_logger()


class Rotator:
    """Runs rotations. ``lease`` is how long a step may take before another process runs it again."""

    def __init__(self, context: Context, credentials: CredentialStore, lease: timedelta) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock
        self._rotations = RotationStore(context)
        self._shared = SharedSecrets(context, credentials, self._rotations)
        self._lease = lease
        self._steps: dict[RotationStep, Callable[[Claim], Awaitable[None]]] = {
            RotationStep.ADD: self._add,
            RotationStep.WAIT: self._wait,
            RotationStep.SWAP: self._swap,
            RotationStep.PROVE: self._prove,
            RotationStep.REMOVE: self._remove,
            RotationStep.UNDO: self._undo,
        }

    async def rotate(self, integration_id: str) -> None:
        """The job: run every step that is due; first begin an automatic rotation if the secret expires soon."""
        await self._rotations.begin_automatic(integration_id)
        while claim := await self._rotations.claim(integration_id, self._lease):
            try:
                await self._steps[claim.step](claim)
            except CredentialsWrong as error:
                await self._refused(claim, error)
            except ServiceUnavailable as error:
                pause = timedelta(seconds=error.retry_after or 0)
                await self._rotations.postpone(claim, max(pause, UNAVAILABLE_PAUSE), error)

    async def _refused(self, claim: Claim, error: CredentialsWrong) -> None:
        """Retry where that can help; else end the rotation with the credentials that are in use."""
        if claim.step is RotationStep.REMOVE:
            return await self._rotations.complete(claim, OldSecretLeft.REFUSED)
        if claim.step in (RotationStep.ADD, RotationStep.UNDO) or error.fault is Fault.SECRET_UNREADABLE:
            return await self._rotations.fail(claim, error.fault)
        return await self._rotations.retry(claim, error)

    async def _add(self, claim: Claim) -> None:
        """Add a secret and store it; before that, remove what an interrupted attempt added."""
        integration, rotation = claim.integration, claim.rotation
        app = self._credentials.app(integration)
        registration = self._clients.registration(app)
        if not await registration.may_rotate():
            raise CredentialsWrong(Fault.GRAPH_ROTATION_FORBIDDEN)
        await remove_named(registration, rotation.id, keep=rotation.new_key_id)
        old = matched(
            await registration.passwords(),
            app.client_secret,
            integration.secret_key_id,
            integration.secret_expires_on,
            self._clock().date(),
        )
        added = await add_password(registration, secret_name(integration, rotation), self._clock())
        await self._rotations.advance(
            claim,
            RotationStep.WAIT,
            secret_sealed=self._credentials.encrypt(added.secret, rotation, "secret_sealed"),
            new_key_id=added.key_id,
            old_key_id=old.key_id if old else "",
            expires_on=added.expires_on,
        )

    async def _wait(self, claim: Claim) -> None:
        """Wait until Entra accepts the new secret: it must first reach all of its servers."""
        try:
            await self._clients.prove(self._credentials.app_with(claim.integration, self._new(claim)))
        except CredentialsWrong as error:
            if error.fault not in PERMISSION_FAULTS:
                raise
        await self._rotations.advance(claim, RotationStep.SWAP)

    async def _swap(self, claim: Claim) -> None:
        """Use the new secret from now on; the old one is kept until the new one has worked."""
        now = self._clock()
        async with self._rotations.locked(claim) as locked:
            if locked is None:
                return
            await self._credentials.replace(locked.session, locked.integration, self._new(claim), now)
            locked.rotation.step, locked.rotation.due_at = RotationStep.PROVE.value, now
            await self._rotations.record(locked.session, Act.ROTATE, locked.integration, locked.rotation)
        log.info("credentials_swapped", integration=claim.integration.id, rotation=claim.rotation.id)
        await self._jobs.defer(PUSH, claim.integration.id)

    async def _prove(self, claim: Claim) -> None:
        """The new credentials work once a presence was pushed with them, or read when there is none to push."""
        integration = claim.integration
        if integration.previous_secret_sealed is None:
            return await self._rotations.advance(claim, RotationStep.REMOVE)
        try:
            async with self._clients.fresh_directory(self._credentials.app(integration)) as directory:
                await directory.organisation()
        except CredentialsWrong as error:
            if error.fault in PERMISSION_FAULTS:
                return await self._rotations.postpone(claim, MAX_PAUSE, error)
            return await self._fall_back(claim, error)
        await self._shared.hand_on(integration, claim.by)
        return await self._proven(claim)

    async def _proven(self, claim: Claim) -> None:
        """Wait for a push; where the secret is shared, that it could be used to read is enough.

        The former one is dropped here then, and on a busy day someone is always waiting.
        """
        now, is_shared = self._clock(), bool(await self._shared.others(claim.integration))
        async with self._rotations.locked(claim) as locked:
            if locked is None:
                return None
            session, integration = locked.session, locked.integration
            closed = await health.mark_healthy(session, integration.id, [Service.ENTRA], now)
            if closed:
                self._clients.forget(self._credentials.app(integration))
                await people.make_pending_due(session, integration.id, now)
            waiting = not is_shared and (await people.counts(session, integration.id, ())).waiting
            if not waiting:
                integration.previous_secret_sealed = None
        if not waiting:
            return await self._rotations.advance(claim, RotationStep.REMOVE)
        await self._jobs.defer(PUSH, claim.integration.id)
        return await self._rotations.postpone(claim, PUSH_PAUSE)

    async def _fall_back(self, claim: Claim, why: CredentialsWrong) -> None:
        """The new credentials were accepted before and are refused now: use the previous ones while they work."""
        previous = self._credentials.previous(claim.integration)
        if previous is None:
            raise why
        await self._clients.prove(self._credentials.app_with(claim.integration, previous))
        async with self._rotations.locked(claim) as locked:
            if locked is None or locked.integration.previous_secret_sealed is None:
                return
            session, integration, rotation = locked.session, locked.integration, locked.rotation
            await self._credentials.restore(session, integration, previous, self._clock())
            again = self._rotations.count_refusal(rotation, why) and bool(rotation.secret_sealed)
            rotation.step = (RotationStep.WAIT if again else RotationStep.UNDO).value
            await self._rotations.record(session, Act.ROTATE_FELL_BACK, integration, rotation, why.fault.value)
        log.warning("credentials_fell_back", integration=claim.integration.id, fault=why.fault.value)
        await self._jobs.defer(PUSH, claim.integration.id)
        await self._jobs.defer(ROTATE, claim.integration.id, at=rotation.due_at)

    async def _remove(self, claim: Claim) -> None:
        """Remove the old secret from Azure if the bot replaced it and nothing else may be using it."""
        rotation = claim.rotation
        if rotation.kind not in BY_THE_BOT:
            return await self._rotations.complete(claim)
        if await self._shared.are_rotating(claim.integration):
            return await self._rotations.postpone(claim, SHARED_PAUSE)
        registration = self._clients.registration(self._credentials.app(claim.integration))
        await remove_named(registration, rotation.id, keep=rotation.new_key_id)
        left = await self._why_left(claim, registration)
        if left is None:
            await registration.remove_password(rotation.old_key_id)
        return await self._rotations.complete(claim, left)

    async def _why_left(self, claim: Claim, registration: Registration) -> OldSecretLeft | None:
        """Why the old secret must not be removed; the integrations that share it have the new one, or kept it."""
        others = await self._shared.others(claim.integration)
        async with self._database.session() as session:
            listed = [await monitors.exist(session, each.id) for each in (claim.integration, *others)]
        if any(listed):
            return OldSecretLeft.MONITORS
        old = next(
            (each for each in await registration.passwords() if each.key_id == claim.rotation.old_key_id), None
        )
        if old is None:
            return OldSecretLeft.UNKNOWN
        new = self._shared.secret_of(claim.integration)
        held = {self._shared.secret_of(each) for each in others} - {new}
        return OldSecretLeft.SHARED if any(each.startswith(old.hint) for each in held if each) else None

    async def _undo(self, claim: Claim) -> None:
        """The new secret does not work: remove what the bot added."""
        rotation = claim.rotation
        if rotation.kind in BY_THE_BOT and rotation.new_key_id and not await self._is_used_elsewhere(claim):
            registration = self._clients.registration(self._credentials.app(claim.integration))
            await registration.remove_password(rotation.new_key_id)
        await self._rotations.fail(claim)

    async def _is_used_elsewhere(self, claim: Claim) -> bool:
        """Whether the new secret was handed on before it was refused here."""
        if not self._credentials.can_decrypt(claim.rotation, "secret_sealed"):
            return False
        new = self._new(claim).secret
        return any(self._shared.secret_of(each) == new for each in await self._shared.others(claim.integration))

    def _new(self, claim: Claim) -> Credentials:
        rotation = claim.rotation
        source = ExpirySource.ADMIN if rotation.kind == RotationKind.MANUAL else ExpirySource.GRAPH
        return Credentials(
            CredentialKind.SECRET,
            self._credentials.decrypt(rotation, "secret_sealed", Service.ENTRA),
            expires_on=rotation.expires_on,
            expiry_source=source if rotation.expires_on else ExpirySource.UNKNOWN,
            key_id=rotation.new_key_id,
        )


def secret_name(integration: Integration, rotation: Rotation) -> str:
    """What the secret is called in Azure. It holds the rotation's id, by which it is found again."""
    return f"{public_name(integration.name)} {rotation.id}"
