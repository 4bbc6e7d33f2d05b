"""The app registration in Entra ID: its ids, secrets and permissions, and the faults an administrator can cause."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from uuid import UUID

from sandbox.world.people import ACCOUNT_NAME, CLOUD_DOMAIN, DOMAIN, stable_id

PERMISSIONS = (
    "User.Read.All",
    "Presence.ReadWrite.All",
    "Application.Read.All",
    "Application.ReadWrite.OwnedBy",
    "GroupMember.Read.All",
)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


class SecretVerdict(StrEnum):
    GOOD = "good"
    EXPIRED = "expired"
    WRONG = "wrong"


@dataclass
class Secret:
    key_id: str
    description: str
    value: str
    start: datetime
    end: datetime
    accepted_from: datetime | None = None

    @property
    def hint(self) -> str:
        return self.value[:3]


@dataclass
class Certificate:
    """The public part of a certificate (PEM), uploaded by an administrator. ``thumbprint`` is SHA-256, in hex."""

    thumbprint: str
    pem: str
    start: datetime
    end: datetime


@dataclass
class FederatedCredential:
    """An issuer whose tokens are accepted for the application; ``public_key`` (PEM) replaces its key set."""

    issuer: str
    subject: str
    audience: str
    public_key: str


@dataclass
class Registration:
    name: str = "CloudLink Presence"
    organisation: str = ACCOUNT_NAME
    tenant_id: str = stable_id("tenant")
    object_id: str = stable_id("application")
    client_id: str = stable_id("client")
    domains: list[str] = field(default_factory=lambda: [DOMAIN, CLOUD_DOMAIN])
    permissions: dict[str, bool] = field(
        default_factory=lambda: {name: name in PERMISSIONS[:2] for name in PERMISSIONS}
    )
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    service_principal: bool = True
    disabled: bool = False
    deleted: bool = False
    conditional_access: bool = False

    @property
    def roles(self) -> list[str]:
        """The permissions an administrator consented to: the roles in a token."""
        return [name for name in PERMISSIONS if self.permissions.get(name)]

    @property
    def usable(self) -> bool:
        return self.service_principal and not self.disabled and not self.deleted

    def knows_tenant(self, tenant: str) -> bool:
        return tenant.lower() in {self.tenant_id, *self.domains}

    def add_secret(
        self, description: str, days: float, now: datetime, random: Random, accepted_after: float = 0
    ) -> Secret:
        """A new secret, which the token endpoint accepts after ``accepted_after`` seconds."""
        value = "".join(random.choices(_ALPHABET, k=3)) + "8Q~" + "".join(random.choices(_ALPHABET, k=34))
        key_id = str(UUID(int=random.getrandbits(128), version=4))
        accepted_from = now + timedelta(seconds=accepted_after)
        secret = Secret(key_id, description, value, now, now + timedelta(days=days), accepted_from)
        self.secrets.append(secret)
        return secret

    def secret(self, key_id: str) -> Secret | None:
        return next((secret for secret in self.secrets if secret.key_id == key_id.lower()), None)

    def check_secret(self, value: str, now: datetime) -> SecretVerdict:
        """Whether a secret's value is accepted now."""
        known = [
            secret for secret in self.secrets if secret.value == value and (secret.accepted_from or now) <= now
        ]
        if any(now < secret.end for secret in known):
            return SecretVerdict.GOOD
        return SecretVerdict.EXPIRED if known else SecretVerdict.WRONG
