"""The credentials of integrations: only this module encrypts, decrypts and replaces them.

Replaced credentials are kept, encrypted, until the new ones have worked. A value that no key decrypts raises
``CredentialsWrong`` (SECRET_UNREADABLE).
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.encryption import Encryption, SecretUnreadable, place_of
from storage.flow.rows import AnyIntegration, IntegrationRow
from storage.queries.people import people
from storage.tables.integrations import Integration
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import CloudLinkAccount, CredentialKind, ExpirySource, Service, TeamsApp
from sync.problems import health
from sync.teams.host_credentials import HostCredentials

SEAL = b"seal"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of an application and their expiry. ``key_id`` is the secret's in Entra, empty if unknown."""

    kind: CredentialKind
    secret: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    expires_on: date | None = None
    expiry_source: ExpirySource = ExpirySource.UNKNOWN
    key_id: str = ""


class CredentialStore:
    """Reads and writes the encrypted columns of integrations. Reading raises ``CredentialsWrong``.

    ``host`` says which Teams tenant may use the host's credentials for which Entra tenant.
    """

    def __init__(self, encryption: Encryption, host: HostCredentials | None = None) -> None:
        self._encryption = encryption
        self._host = host or HostCredentials()
        self._seals = encryption.for_purpose("seals")

    def encrypt(self, secret: str, row: SQLModel, column: str) -> str:
        """What to store in ``column`` of ``row``; it decrypts nowhere else."""
        return self._encryption.encrypt(secret, place_of(row, column))

    def decrypt(self, row: SQLModel | IntegrationRow, column: str, service: Service) -> str:
        """Raises ``CredentialsWrong``, naming ``service``, when no key decrypts ``column`` of ``row``."""
        try:
            return self._encryption.decrypt(getattr(row, column) or "", place_of(row, column))
        except SecretUnreadable:
            raise CredentialsWrong(Fault.SECRET_UNREADABLE, service=service.value) from None

    def can_decrypt(self, row: SQLModel, column: str) -> bool:
        return self._encryption.can_decrypt(getattr(row, column) or "", place_of(row, column))

    def seal(self, text: str) -> str:
        """``text`` for another process of ours, in a form that is not stored."""
        return self._seals.encrypt(text, SEAL)

    def unseal(self, sealed: str) -> str:
        """What ``seal`` was given. Raises ``ValueError`` for anything else."""
        try:
            return self._seals.decrypt(sealed, SEAL)
        except SecretUnreadable:
            raise ValueError("not sealed by this product's keys") from None

    def account(self, integration: Integration) -> CloudLinkAccount:
        """The CloudLink account with its decrypted secret."""
        return CloudLinkAccount(
            integration.cloudlink_region,
            integration.cloudlink_account_id,
            integration.cloudlink_client_id,
            self.decrypt(integration, "cloudlink_secret_sealed", Service.CLOUDLINK),
            integration.owner_tenant,
        )

    def app(self, integration: AnyIntegration) -> TeamsApp:
        """The Teams application with the decrypted credentials in use."""
        kind = CredentialKind(integration.credential)
        secret = certificate = ""
        if kind is CredentialKind.SECRET:
            secret = self.decrypt(integration, "client_secret_sealed", Service.ENTRA)
        elif kind is CredentialKind.CERTIFICATE and integration.certificate_sealed:
            certificate = self.decrypt(integration, "certificate_sealed", Service.ENTRA)
        return self.app_with(integration, Credentials(kind, secret, certificate))

    def app_with(self, integration: AnyIntegration, credentials: Credentials) -> TeamsApp:
        """The integration's application with ``credentials``; the host's only if it may use them."""
        return TeamsApp(
            integration.tenant_id,
            integration.client_id,
            credentials.secret,
            credentials.kind,
            credentials.certificate,
            self.host_is_allowed(integration) or integration.host_proven_for == application_of(integration),
            integration.owner_tenant,
        )

    def host_is_allowed(self, integration: AnyIntegration, tenant_id: str = "") -> bool:
        """Whether its owner may use the host's credentials for its Entra tenant (or another) without a proof."""
        return self._host.are_allowed(integration.owner_tenant, tenant_id or integration.tenant_id)

    def current(self, integration: Integration) -> Credentials:
        """The credentials in use."""
        app = self.app(integration)
        return Credentials(
            app.kind,
            app.client_secret,
            app.certificate,
            integration.secret_expires_on,
            ExpirySource(integration.expiry_source),
            integration.secret_key_id,
        )

    def previous(self, integration: Integration) -> Credentials | None:
        """The replaced credentials; None when none are kept, or no key decrypts them."""
        if not integration.previous_secret_sealed:
            return None
        try:
            values = json.loads(self.decrypt(integration, "previous_secret_sealed", Service.ENTRA))
        except (CredentialsWrong, ValueError):
            return None
        day = values["expires_on"]
        return Credentials(
            CredentialKind(values["kind"]),
            values["secret"],
            values["certificate"],
            date.fromisoformat(day) if day else None,
            ExpirySource(values["expiry_source"]),
            values["key_id"],
        )

    async def replace(
        self, session: AsyncSession, integration: Integration, new: Credentials, now: datetime
    ) -> None:
        """Use ``new`` from now on, and keep the replaced credentials until ``new`` has worked.

        If previous credentials are already kept they stay: they have worked, those in use have not yet.
        """
        if integration.previous_secret_sealed is None:
            try:
                self.keep_previous(integration, self.current(integration))
            except CredentialsWrong:
                integration.previous_secret_sealed = None
        await self._use(session, integration, new, now)

    async def restore(
        self, session: AsyncSession, integration: Integration, to: Credentials, now: datetime
    ) -> None:
        """Use the previous credentials ``to`` again; none are kept then."""
        integration.previous_secret_sealed = None
        await self._use(session, integration, to, now)

    async def _use(self, session: AsyncSession, integration: Integration, new: Credentials, now: datetime) -> None:
        self.put(integration, new)
        integration.revision += 1
        await health.mark_healthy(session, integration.id, health.TEAMS, now)
        await people.make_pending_due(session, integration.id, now)

    def put(self, integration: Integration, credentials: Credentials) -> None:
        """Encrypt and set ``credentials``; their expiry is read again from Graph."""
        integration.credential = credentials.kind.value
        integration.client_secret_sealed = self.encrypt(credentials.secret, integration, "client_secret_sealed")
        certificate = self.encrypt(credentials.certificate, integration, "certificate_sealed")
        integration.certificate_sealed = certificate if credentials.certificate else None
        integration.secret_expires_on = credentials.expires_on
        integration.expiry_source = credentials.expiry_source.value
        integration.secret_key_id = credentials.key_id
        integration.expiry_checked_at = None

    def keep_previous(self, integration: Integration, previous: Credentials) -> None:
        """Encrypt ``previous`` as the credentials to return to."""
        values = {
            "kind": previous.kind.value,
            "secret": previous.secret,
            "certificate": previous.certificate,
            "expires_on": previous.expires_on.isoformat() if previous.expires_on else "",
            "expiry_source": previous.expiry_source.value,
            "key_id": previous.key_id,
        }
        integration.previous_secret_sealed = self.encrypt(json.dumps(values), integration, "previous_secret_sealed")


def application_of(integration: AnyIntegration) -> str:
    """The Entra tenant and application, as ``Integration.host_proven_for`` names them."""
    return f"{integration.tenant_id}/{integration.client_id}".lower()
