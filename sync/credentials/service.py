"""What an administrator can do with an integration's credentials; implements ``CredentialsPort``.

Every call carries the tenant of who asks: an integration of another tenant does not exist. What is new is
proven with a fresh token, for the same tenant and application, before anything is stored.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import history, integrations, rotations
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.credentials.rotation_history import record_step
from sync.credentials.rotator import end
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import EXPIRY, PUSH, ROTATE
from sync.domain.model import (
    Actor,
    CredentialKind,
    EditedMeanwhile,
    ExpirySource,
    NameTaken,
    Service,
    UnknownIntegration,
)
from sync.domain.rotation import (
    CredentialChoices,
    Kind,
    NewCertificate,
    RotationUnderWay,
    RotationView,
    Step,
    view_of,
)
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials

LOOK_EVERY = 0.3
FOLLOWED = 8.0
"""Seconds: Teams gives a pressed button about ten until it calls the answer lost."""


class CredentialService:
    """All methods raise ``UnknownIntegration``; those that prove raise ``SyncError`` too."""

    def __init__(self, context: Context, credentials: CredentialStore, host: HostCredentials) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._host = host
        self._jobs = context.jobs
        self._clock = context.clock

    # A secret

    async def replace_secret(
        self,
        owner_tenant: str,
        integration_id: str,
        name: str,
        secret: str,
        expires_on: date | None,
        by: Actor,
        revision: int | None = None,
    ) -> RotationView:
        """Prove the new secret and use it from now on; the description becomes the integration's name.

        Raises ``NameTaken``, ``RotationUnderWay``, and ``EditedMeanwhile`` when ``revision`` is past.
        """
        new = Credentials(
            CredentialKind.SECRET,
            secret,
            expires_on=expires_on,
            expiry_source=ExpirySource.ADMIN if expires_on else ExpirySource.UNKNOWN,
        )
        return await self._switch(owner_tenant, integration_id, new, by, revision, name)

    async def may_rotate(self, owner_tenant: str, integration_id: str) -> bool:
        """Whether the application may change its own secrets, as far as can be told now."""
        integration = await self._read(owner_tenant, integration_id)
        if integration.credential != CredentialKind.SECRET:
            return False
        try:
            return await self._clients.registration(self._credentials.app(integration)).may_rotate()
        except SyncError:
            return False

    async def rotate_for_me(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView:
        """Begin a rotation; asked twice, there is still one."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            rotation = await rotations.get_open(session, integration_id)
            if rotation is None or rotation.kind == Kind.BY_HAND:
                await self._supersede(session, integration_id)
                rotation = self._new_rotation(integration, Kind.FOR_ME, Step.ADD, by)
                session.add(rotation)
                await record_step(session, integration, rotation, "rotate_begun", now)
        await self._jobs.defer(ROTATE, integration_id)
        return view_of(rotation)

    async def rotation(self, owner_tenant: str, integration_id: str) -> RotationView | None:
        """The one under way, or the last one."""
        async with self._database.session() as session:
            await self._find(session, owner_tenant, integration_id)
            found = await rotations.get_open(session, integration_id) or await rotations.latest(
                session, integration_id
            )
        return view_of(found) if found else None

    async def follow(self, owner_tenant: str, rotation_id: str) -> AsyncIterator[RotationView]:
        """The rotation now, then each step as it comes, for some seconds or until it is finished."""
        deadline = asyncio.get_running_loop().time() + FOLLOWED
        last: RotationView | None = None
        while last is None or (not last.finished and asyncio.get_running_loop().time() < deadline):
            if last:
                await asyncio.sleep(LOOK_EVERY)
            async with self._database.session() as session:
                row = await rotations.get_owned(session, owner_tenant, rotation_id)
            if row is None:
                raise UnknownIntegration
            seen = view_of(row)
            if last is None or seen.step != last.step or seen.finished:
                yield seen
            last = seen

    async def set_auto_rotate(self, owner_tenant: str, integration_id: str, on: bool, by: Actor) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            if integration.auto_rotate == on:
                return
            integration.auto_rotate = on
            session.add(integration)
            await self._record(session, integration, by, "auto_rotate", {"on": on})
        await self._jobs.defer(ROTATE, integration_id, at=None if on else now)

    # A certificate, or no secret at all

    def choices(self) -> CredentialChoices:
        """What the host has been set up for."""
        return CredentialChoices(self._host.certificate_path is not None, self._host.is_federated)

    async def make_certificate(self, owner_tenant: str, integration_id: str, by: Actor) -> NewCertificate:
        """A new key and certificate, the key sealed; it is used only once ``use_certificate`` has proven it.

        Asked again before that, the same one is handed out, as long as its key can be opened.
        """
        integration = await self._read(owner_tenant, integration_id)
        if self._has_pending(integration):
            return _public(certificates.parse(self._pending(integration)))
        made = await asyncio.to_thread(certificates.generate, integration.name, self._clock())
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            if self._has_pending(integration):
                return _public(certificates.parse(self._pending(integration)))
            integration.pending_certificate_sealed = self._credentials.encrypt(made.pem)
            session.add(integration)
            await self._record(session, integration, by, "make_certificate", {"thumbprint": made.thumbprint})
        return _public(made)

    async def use_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        """Prove the certificate that was handed out, and use it from now on."""
        integration = await self._read(owner_tenant, integration_id)
        if not integration.pending_certificate_sealed:
            raise EditedMeanwhile
        certificate = certificates.parse(self._pending(integration))
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
        """Nothing that expires: the platform's own token, trusted by the application."""
        return await self._switch(owner_tenant, integration_id, Credentials(CredentialKind.FEDERATED), by, revision)

    # The change itself

    async def _switch(
        self,
        owner_tenant: str,
        integration_id: str,
        new: Credentials,
        by: Actor,
        revision: int | None,
        name: str = "",
    ) -> RotationView:
        before = await self._read(owner_tenant, integration_id)
        if revision is not None and before.revision != revision:
            raise EditedMeanwhile
        await self._clients.prove(new.of(before))
        now = self._clock()
        async with self._database.writing() as session:
            integration = await self._find(session, owner_tenant, integration_id, lock=True)
            if integration.revision != before.revision:
                raise EditedMeanwhile
            if name and await integrations.is_name_taken(session, owner_tenant, name, but=integration_id):
                raise NameTaken(name)
            await self._supersede(session, integration_id)
            integration.name = name or integration.name
            if new.certificate:
                integration.pending_certificate_sealed = None
            await self._credentials.replace(session, integration, new, now)
            rotation = self._new_rotation(integration, Kind.BY_HAND, Step.PROVE, by)
            rotation.expires_on = new.expires_on
            rotation.secret_sealed = self._credentials.encrypt(new.secret) if new.secret else None
            session.add(rotation)
            act = "rotate" if new.kind is CredentialKind.SECRET else "switch_credential"
            await record_step(session, integration, rotation, act, now)
        for job in (PUSH, ROTATE, EXPIRY):
            await self._jobs.defer(job, integration_id)
        return view_of(rotation)

    async def _supersede(self, session: AsyncSession, integration_id: str) -> None:
        """End one by hand that still waits for its proof; one of the bot's own is not interfered with."""
        rotation = await rotations.get_open(session, integration_id)
        if rotation is None:
            return
        if rotation.kind != Kind.BY_HAND:
            raise RotationUnderWay
        end(rotation, Step.DONE, self._clock())
        session.add(rotation)

    def _new_rotation(self, integration: Integration, kind: Kind, step: Step, by: Actor) -> Rotation:
        now = self._clock()
        return Rotation(
            integration_id=integration.id,
            owner_tenant=integration.owner_tenant,
            kind=kind,
            step=step,
            started_by=by.id,
            started_by_name=by.name,
            started_at=now,
            due_at=now,
        )

    def _has_pending(self, integration: Integration) -> bool:
        return self._credentials.can_decrypt(integration.pending_certificate_sealed or "")

    def _pending(self, integration: Integration) -> str:
        return self._credentials.decrypt(integration.pending_certificate_sealed or "", Service.ENTRA)

    async def _record(
        self, session: AsyncSession, integration: Integration, by: Actor, act: str, facts: dict[str, object]
    ) -> None:
        await history.record(
            session,
            owner_tenant=integration.owner_tenant,
            integration_id=integration.id,
            integration_name=integration.name,
            actor_id=by.id,
            actor_name=by.name,
            act=act,
            result=history.DONE,
            facts=facts,
            now=self._clock(),
        )

    async def _read(self, owner_tenant: str, integration_id: str) -> Integration:
        async with self._database.session() as session:
            return await self._find(session, owner_tenant, integration_id)

    async def _find(
        self, session: AsyncSession, owner_tenant: str, integration_id: str, *, lock: bool = False
    ) -> Integration:
        integration = await integrations.get_owned(session, owner_tenant, integration_id, lock=lock)
        if integration is None:
            raise UnknownIntegration(integration_id)
        return integration


def _public(certificate: certificates.Certificate) -> NewCertificate:
    return NewCertificate(certificate.public, certificate.thumbprint, certificate.expires_on)
