"""What an administrator does with an integration's credentials.

New credentials are tested with a fresh token, for the same tenant and application, before anything is stored.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import rotations
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.audit import Act, AuditLog, Subject
from sync.credentials.new_secrets import once_known, public_name
from sync.credentials.rotation_store import RotationStore, end
from sync.credentials.store import Credentials, CredentialStore, application_of
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.jobs import EXPIRY, PUSH, ROTATE
from sync.domain.model import (
    Actor,
    CredentialKind,
    EditedMeanwhile,
    ExpirySource,
    Service,
    TeamsApp,
    UnknownIntegration,
)
from sync.domain.rotation import (
    BY_THE_BOT,
    CredentialChoices,
    NewCertificate,
    NewSecret,
    RotationKind,
    RotationStep,
    RotationUnderWay,
    RotationView,
    rotation_id,
    rotation_view,
)
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials
from sync.tenancy import owned

FOLLOW_INTERVAL = 0.3
FOLLOW_TIMEOUT = 8.0
"""Seconds: Teams waits about ten for the response to a pressed button."""


class CredentialService:
    """All methods raise ``UnknownIntegration``; those that test credentials raise ``SyncError`` too.

    Those that change what is in use raise ``RotationUnderWay`` while the bot itself is changing the secret, and
    ``EditedMeanwhile`` when ``revision`` is not the integration's any more.
    """

    def __init__(self, context: Context, credentials: CredentialStore, host: HostCredentials) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._host = host
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)
        self._rotations = RotationStore(context)

    # A secret

    async def replace_secret(
        self,
        owner_tenant: str,
        integration_id: str,
        typed: NewSecret,
        by: Actor,
        revision: int | None = None,
    ) -> RotationView:
        """Test the new secret and use it from now on; its description is kept in the history."""
        new = Credentials(
            CredentialKind.SECRET,
            typed.value,
            expires_on=typed.expires_on,
            expiry_source=ExpirySource.ADMIN if typed.expires_on else ExpirySource.UNKNOWN,
        )
        return await self._switch(owner_tenant, integration_id, new, by, revision, typed.description)

    async def may_rotate(self, owner_tenant: str, integration_id: str) -> bool:
        """Whether the application may change its own secrets; False if that cannot be read now."""
        integration = await self._read(owner_tenant, integration_id)
        if integration.credential != CredentialKind.SECRET:
            return False
        try:
            return await self._clients.registration(self._credentials.app(integration)).may_rotate()
        except SyncError:
            return False

    async def start_rotation(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView:
        """Begin a rotation by the bot; while one is in progress, or for the same press, no second one is begun.

        Raises ``RotationUnderWay`` while another integration's with the same application is.
        """
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if begun := await rotations.get_owned(session, owner_tenant, rotation_id(by, integration_id)):
                return rotation_view(begun)
            rotation = await rotations.get_open(session, integration_id)
            if await self._rotations.is_shared_rotating(session, integration):
                raise RotationUnderWay
            if rotation is None or rotation.kind not in BY_THE_BOT:
                await self._supersede(session, integration_id)
                rotation = self._rotations.begin(
                    session, integration, RotationKind.ON_REQUEST, RotationStep.ADD, by
                )
                await self._rotations.record(session, Act.ROTATE_BEGUN, integration, rotation)
        await self._jobs.defer(ROTATE, integration_id)
        return rotation_view(rotation)

    async def rotation(self, owner_tenant: str, integration_id: str) -> RotationView | None:
        """The rotation in progress, or the last one; None if there was none."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            found = await rotations.get_open(session, integration_id) or await rotations.latest(
                session, integration_id
            )
        return rotation_view(found) if found else None

    async def begun(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView | None:
        """The rotation that ``by`` began with their press; None if they have begun none with it."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            found = await rotations.get_owned(session, owner_tenant, rotation_id(by, integration_id))
        return rotation_view(found) if found else None

    async def follow(self, owner_tenant: str, rotation_id: str) -> AsyncIterator[RotationView]:
        """The rotation now, then each new step, for ``FOLLOW_TIMEOUT`` seconds or until it is finished."""
        deadline = asyncio.get_running_loop().time() + FOLLOW_TIMEOUT
        last: RotationView | None = None
        while last is None or (not last.finished and asyncio.get_running_loop().time() < deadline):
            if last:
                await asyncio.sleep(FOLLOW_INTERVAL)
            async with self._database.session() as session:
                row = await rotations.get_owned(session, owner_tenant, rotation_id)
            if row is None:
                raise UnknownIntegration
            view = rotation_view(row)
            if last is None or view.step != last.step or view.finished:
                yield view
            last = view

    async def set_auto_rotate(self, owner_tenant: str, integration_id: str, on: bool, by: Actor) -> None:
        """Let the bot replace the secret by itself before it expires, or stop that."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if integration.auto_rotate == on:
                return
            integration.auto_rotate = on
            await self._audit.record(session, Act.AUTO_ROTATE, by, integration, {"on": on})
        await self._jobs.defer(ROTATE, integration_id, at=None if on else now)

    # A certificate, or no secret at all

    def choices(self) -> CredentialChoices:
        """What the host is configured for."""
        return CredentialChoices(self._host.certificate_path is not None, self._host.is_federated)

    async def make_certificate(self, owner_tenant: str, integration_id: str, by: Actor) -> NewCertificate:
        """The public part of a new certificate; its key is stored, encrypted, until ``use_certificate`` tests it.

        A second call before that returns the same certificate, as long as its key can be decrypted.
        """
        integration = await self._read(owner_tenant, integration_id)
        if self._has_pending(integration):
            return _public(certificates.stored(self._pending(integration)))
        made = await asyncio.to_thread(certificates.generate, public_name(integration.name), self._clock())
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if self._has_pending(integration):
                return _public(certificates.stored(self._pending(integration)))
            integration.pending_certificate_sealed = self._credentials.encrypt(
                made.pem, integration, "pending_certificate_sealed"
            )
            facts = {"thumbprint": made.thumbprint}
            await self._audit.record(session, Act.MAKE_CERTIFICATE, by, integration, facts)
        return _public(made)

    async def pending_certificate(self, owner_tenant: str, integration_id: str) -> str:
        """The public part (PEM) of the certificate that waits to be used; empty without one."""
        integration = await self._read(owner_tenant, integration_id)
        return certificates.stored(self._pending(integration)).public if self._has_pending(integration) else ""

    async def use_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        """Test the certificate that ``make_certificate`` returned, and use it from now on."""
        integration = await self._read(owner_tenant, integration_id)
        if not integration.pending_certificate_sealed:
            raise EditedMeanwhile
        certificate = certificates.stored(self._pending(integration))
        new = Credentials(
            CredentialKind.CERTIFICATE,
            certificate=certificate.pem,
            expires_on=certificate.expires_on,
            expiry_source=ExpirySource.CERTIFICATE,
        )
        return await self._switch(owner_tenant, integration_id, new, by, revision)

    async def use_host_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        """Test the certificate in the host's file, and use it from now on."""
        certificate = await asyncio.to_thread(self._host.certificate)
        new = Credentials(
            CredentialKind.CERTIFICATE,
            expires_on=certificate.expires_on,
            expiry_source=ExpirySource.CERTIFICATE,
        )
        return await self._switch(owner_tenant, integration_id, new, by, revision)

    async def use_federated(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        """Test the platform's own token, which the application trusts, and use it from now on. It never expires."""
        return await self._switch(owner_tenant, integration_id, Credentials(CredentialKind.FEDERATED), by, revision)

    # The change itself

    async def _switch(
        self,
        owner_tenant: str,
        integration_id: str,
        new: Credentials,
        by: Actor,
        revision: int | None,
        description: str = "",
    ) -> RotationView:
        async with self._audit.attempt(_act_of(new), by, Subject(owner_tenant, integration_id)):
            before = await self._read(owner_tenant, integration_id, revision)
            app = await self._prove(before, new)
            rotation = await self._store(before, app, new, by, description)
        for job in (PUSH, ROTATE, EXPIRY):
            await self._jobs.defer(job, integration_id)
        return rotation_view(rotation)

    async def _prove(self, before: Integration, new: Credentials) -> TeamsApp:
        """Test the new credentials. The host's need a proof too, from credentials of its own that are in use now.

        The host's credentials would be accepted wherever an application trusts the host.
        """
        app = self._credentials.app_with(before, new)
        async with self._audit.using(before.owner_tenant, app):
            if app.uses_host and not self._credentials.host_is_allowed(before):
                in_use = self._credentials.app(before)
                if in_use.uses_host:
                    raise CredentialsWrong(Fault.ENTRA_HOST_NOT_ALLOWED)
                await self._clients.prove(in_use)
                app = replace(app, host_allowed=True)
            await once_known(new.secret, partial(self._clients.prove, app))
        return app

    async def _store(
        self, before: Integration, app: TeamsApp, new: Credentials, by: Actor, description: str
    ) -> Rotation:
        owner_tenant, integration_id = before.owner_tenant, before.id
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, before.revision, lock=True)
            await self._supersede(session, integration_id)
            if new.certificate:
                integration.pending_certificate_sealed = None
            await self._credentials.replace(session, integration, new, self._clock())
            if app.uses_host:
                integration.host_proven_for = application_of(integration)
                await self._audit.record_use(session, owner_tenant, app)
            rotation = self._rotations.begin(session, integration, RotationKind.MANUAL, RotationStep.PROVE, by)
            rotation.expires_on, rotation.credential = new.expires_on, new.kind
            if new.secret:
                rotation.secret_sealed = self._credentials.encrypt(new.secret, rotation, "secret_sealed")
            facts = {"description": description} if description else {}
            await self._rotations.record(session, _act_of(new), integration, rotation, facts=facts)
        return rotation

    async def _supersede(self, session: AsyncSession, integration_id: str) -> None:
        """End a rotation that is not proven yet. Raises ``RotationUnderWay`` for one by the bot."""
        rotation = await rotations.get_open(session, integration_id)
        if rotation is None:
            return
        if rotation.kind in BY_THE_BOT:
            raise RotationUnderWay
        end(rotation, RotationStep.DONE, self._clock())

    def _has_pending(self, integration: Integration) -> bool:
        return self._credentials.can_decrypt(integration, "pending_certificate_sealed")

    def _pending(self, integration: Integration) -> str:
        return self._credentials.decrypt(integration, "pending_certificate_sealed", Service.ENTRA)

    async def _read(self, owner_tenant: str, integration_id: str, revision: int | None = None) -> Integration:
        async with self._database.session() as session:
            return await owned(session, owner_tenant, integration_id, revision)


def _act_of(new: Credentials) -> Act:
    return Act.ROTATE if new.kind is CredentialKind.SECRET else Act.SWITCH_CREDENTIAL


def _public(certificate: certificates.Certificate) -> NewCertificate:
    return NewCertificate(certificate.public, certificate.thumbprint, certificate.expires_on)
