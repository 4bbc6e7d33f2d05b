"""The credentials of integrations: encrypted, decrypted and replaced here alone.

A replaced credential is kept, encrypted, until the new one has worked. What no key decrypts raises
``CredentialsWrong``.
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.encryption import Encryption, SecretUnreadable
from storage.queries import people
from storage.tables.integrations import Integration
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import CloudLinkAccount, CredentialKind, ExpirySource, Service, TeamsApp
from sync.problems import health


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves an application, and when it expires. ``key_id`` is the secret's in Entra, empty if unknown."""

    kind: CredentialKind
    secret: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    expires_on: date | None = None
    expiry_source: ExpirySource = ExpirySource.UNKNOWN
    key_id: str = ""

    def of(self, integration: Integration) -> TeamsApp:
        """The integration's application, proven by these credentials."""
        return TeamsApp(integration.tenant_id, integration.client_id, self.secret, self.kind, self.certificate)


class CredentialStore:
    """Reads and writes the encrypted columns of integrations."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    def encrypt(self, secret: str) -> str:
        return self._encryption.encrypt(secret)

    def decrypt(self, sealed: str, service: Service) -> str:
        """Raises ``CredentialsWrong`` (SECRET_UNREADABLE, for ``service``) when no key decrypts it."""
        try:
            return self._encryption.decrypt(sealed)
        except SecretUnreadable:
            raise CredentialsWrong(Fault.SECRET_UNREADABLE, service=service.value) from None

    def can_decrypt(self, sealed: str) -> bool:
        return self._encryption.can_decrypt(sealed)

    def account(self, integration: Integration) -> CloudLinkAccount:
        """Raises ``CredentialsWrong``."""
        return CloudLinkAccount(
            integration.cloudlink_region,
            integration.cloudlink_account_id,
            integration.cloudlink_client_id,
            self.decrypt(integration.cloudlink_secret_sealed, Service.CLOUDLINK),
        )

    def app(self, integration: Integration) -> TeamsApp:
        """Raises ``CredentialsWrong``."""
        kind = CredentialKind(integration.credential)
        secret = certificate = ""
        if kind is CredentialKind.SECRET:
            secret = self.decrypt(integration.client_secret_sealed, Service.ENTRA)
        elif kind is CredentialKind.CERTIFICATE and integration.certificate_sealed:
            certificate = self.decrypt(integration.certificate_sealed, Service.ENTRA)
        return TeamsApp(integration.tenant_id, integration.client_id, secret, kind, certificate)

    def current(self, integration: Integration) -> Credentials:
        """Raises ``CredentialsWrong``."""
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
        """The replaced ones; None when none are kept, or no key decrypts them."""
        if not integration.previous_secret_sealed:
            return None
        try:
            values: dict[str, Any] = json.loads(self._encryption.decrypt(integration.previous_secret_sealed))
        except (SecretUnreadable, ValueError):
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
        """Use ``new`` from now on and keep what was used until ``new`` has worked.

        What is kept already stays: it has worked, and the one in use has not yet.
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
        """Use the previous credentials again."""
        integration.previous_secret_sealed = None
        await self._use(session, integration, to, now)

    async def _use(self, session: AsyncSession, integration: Integration, new: Credentials, now: datetime) -> None:
        self.put(integration, new)
        integration.revision += 1
        await health.mark_healthy(session, integration.id, health.TEAMS, now)
        await people.make_pending_due(session, integration.id, now)

    def put(self, integration: Integration, credentials: Credentials) -> None:
        """Make these the integration's; the expiry known of the replaced secret is read again."""
        integration.credential = credentials.kind.value
        integration.client_secret_sealed = self.encrypt(credentials.secret)
        integration.certificate_sealed = self.encrypt(credentials.certificate) if credentials.certificate else None
        integration.secret_expires_on = credentials.expires_on
        integration.expiry_source = credentials.expiry_source.value
        integration.secret_key_id = credentials.key_id
        integration.expiry_checked_at = None

    def keep_previous(self, integration: Integration, previous: Credentials) -> None:
        values = {
            "kind": previous.kind.value,
            "secret": previous.secret,
            "certificate": previous.certificate,
            "expires_on": previous.expires_on.isoformat() if previous.expires_on else "",
            "expiry_source": previous.expiry_source.value,
            "key_id": previous.key_id,
        }
        integration.previous_secret_sealed = self.encrypt(json.dumps(values))
