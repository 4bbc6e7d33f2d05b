"""Reads when an integration's secret expires from Graph, where the application has the permission.

The secret in use is recognised by its first three characters, which Graph returns as ``hint``.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import structlog

from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.context import Context
from sync.domain.errors import ServiceUnavailable, SyncError
from sync.domain.model import CredentialKind, ExpirySource, TeamsApp
from sync.domain.services import Password, Registration
from sync.teams.host_credentials import HostCredentials

INTERVAL = timedelta(days=1)
RETRY = timedelta(hours=1)

log = structlog.get_logger()


class SecretExpiry:
    """Reads expiry dates once a day, and when credentials have changed."""

    def __init__(self, context: Context, credentials: CredentialStore, host: HostCredentials) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._host = host
        self._clock = context.clock

    async def refresh(self, integration_id: str) -> None:
        """The job: read and store the expiry. If it cannot be read, the stored one is kept."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None or integration.removing_since:
            return
        again_in, found = INTERVAL, None
        try:
            found = await self._read(integration)
        except SyncError as error:
            again_in = RETRY if isinstance(error, ServiceUnavailable) else INTERVAL
            log.info("expiry_not_read", integration=integration_id, fault=error.fault.value)
        await self._store(integration, found, self._clock() - INTERVAL + again_in)

    async def _read(self, integration: Integration) -> Credentials | None:
        """The expiry of the credentials in use; None if they do not expire or it cannot be read."""
        app = self._credentials.app(integration)
        if app.kind is CredentialKind.CERTIFICATE and not app.certificate:
            certificate = await asyncio.to_thread(self._host.certificate)
            return Credentials(app.kind, expires_on=certificate.expires_on, expiry_source=ExpirySource.CERTIFICATE)
        if app.kind is not CredentialKind.SECRET:
            return None
        return await self._read_secret(app, integration)

    async def _read_secret(self, app: TeamsApp, integration: Integration) -> Credentials | None:
        registration, today = self._clients.registration(app), self._clock().date()
        known = integration.secret_key_id, integration.secret_expires_on
        found = await listed(registration, app.client_secret, today, *known)
        if found is None:
            return None
        return Credentials(
            app.kind, expires_on=found.expires_on, expiry_source=ExpirySource.GRAPH, key_id=found.key_id
        )

    async def _store(self, read: Integration, found: Credentials | None, checked_at: datetime) -> None:
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, read.id)
            if integration is None or integration.client_secret_sealed != read.client_secret_sealed:
                return
            if found:
                integration.secret_expires_on = found.expires_on
                integration.expiry_source = found.expiry_source.value
                integration.secret_key_id = found.key_id
            integration.expiry_checked_at = checked_at


async def listed(
    registration: Registration, secret: str, today: date, key_id: str = "", expected: date | None = None
) -> Password | None:
    """The secret as Graph lists it; None if the application may not read its registration. Raises ``SyncError``."""
    if not await registration.may_read():
        return None
    return matched(await registration.passwords(), secret, key_id, expected, today)


def matched(
    passwords: Sequence[Password], secret: str, key_id: str, expected: date | None, today: date
) -> Password | None:
    """The password whose value is ``secret``; None if there is none with its hint.

    Of several with the same hint, the one with ``key_id``; else the one whose expiry is nearest to ``expected``;
    without that, the one that expires first. Expired ones count only if there is no other.
    """
    candidates = [each for each in passwords if each.hint and secret.startswith(each.hint)]
    known = [each for each in candidates if each.key_id == key_id]
    if known:
        return known[0]
    valid = [each for each in candidates if each.expires_on >= today] or candidates
    if expected:
        return min(valid, key=lambda each: abs((each.expires_on - expected).days), default=None)
    return min(valid, key=lambda each: each.expires_on, default=None)
