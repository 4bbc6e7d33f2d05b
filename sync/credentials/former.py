"""The former credentials of an integration, kept sealed until the new ones have proven good."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from storage.encryption import Encryption, SecretUnreadable
from storage.tables.integrations import Integration
from sync.credentials.secrets import app_of
from sync.domain.model import CredentialKind, ExpirySource, TeamsApp


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves an application, and when it ends. ``key_id`` is the secret's in Entra, empty when not known."""

    kind: CredentialKind
    secret: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    expires_on: date | None = None
    expiry_source: ExpirySource = ExpirySource.UNKNOWN
    key_id: str = ""


def current(integration: Integration, encryption: Encryption) -> Credentials:
    """Raises ``CredentialsWrong`` when no key opens them."""
    app = app_of(integration, encryption)
    return Credentials(
        app.kind,
        app.client_secret,
        app.certificate,
        integration.secret_expires_on,
        ExpirySource(integration.expiry_source),
        integration.secret_key_id,
    )


def put(integration: Integration, credentials: Credentials, encryption: Encryption) -> None:
    """Make these the integration's; what was known of another secret's expiry is read again."""
    integration.credential = credentials.kind.value
    integration.client_secret_sealed = encryption.encrypt(credentials.secret)
    integration.certificate_sealed = (
        encryption.encrypt(credentials.certificate) if credentials.certificate else None
    )
    integration.secret_expires_on = credentials.expires_on
    integration.expiry_source = credentials.expiry_source.value
    integration.secret_key_id = credentials.key_id
    integration.expiry_checked_at = None


def keep(integration: Integration, former: Credentials, encryption: Encryption) -> None:
    values = {
        "kind": former.kind.value,
        "secret": former.secret,
        "certificate": former.certificate,
        "expires_on": former.expires_on.isoformat() if former.expires_on else "",
        "expiry_source": former.expiry_source.value,
        "key_id": former.key_id,
    }
    integration.previous_secret_sealed = encryption.encrypt(json.dumps(values))


def kept(integration: Integration, encryption: Encryption) -> Credentials | None:
    """The former ones; None when there are none (any more), or none that can be opened."""
    if not integration.previous_secret_sealed:
        return None
    try:
        values: dict[str, Any] = json.loads(encryption.decrypt(integration.previous_secret_sealed))
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


def as_app(integration: Integration, credentials: Credentials) -> TeamsApp:
    """The integration's application, proven by ``credentials``."""
    return TeamsApp(
        integration.tenant_id,
        integration.client_id,
        credentials.secret,
        credentials.kind,
        credentials.certificate,
    )
