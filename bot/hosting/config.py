"""Which callers may reach the bot, and which services the bot may call."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from core.errors import CloudLinkPresenceError
from core.http.client import is_loopback_host

OPENID_METADATA_URL = "https://login.botframework.com/v1/.well-known/openidconfiguration"
TOKEN_ISSUER = "https://api.botframework.com"  # noqa: S105
ENTRA_URL = "https://login.microsoftonline.com"
SERVICE_HOSTS = (
    "smba.trafficmanager.net",
    "smba.infra.gcc.teams.microsoft.com",
    "smba.infra.gov.teams.microsoft.us",
    "smba.infra.dod.teams.microsoft.us",
)
"""Teams: "Send proactive messages", global service addresses."""


class InsecureHosting(CloudLinkPresenceError, ValueError):
    """The configuration would admit unauthenticated callers, or cannot work; the message says what to set."""


class AppType(StrEnum):
    """How the bot is registered. ``AppType(text)`` raises ``ValueError`` for a misspelt one."""

    SINGLE_TENANT = "SingleTenant"
    USER_ASSIGNED_MSI = "UserAssignedMSI"
    MULTI_TENANT = "MultiTenant"


@dataclass(frozen=True, slots=True)
class HostingConfig:
    """The bot's registration and its access rules.

    ``allowed_service_hosts`` are host names; a leading ``*.`` matches any subdomain. Loopback is allowed when it
    is listed there or under the development switch, and only loopback may be plain http.
    ``allowed_tenants`` empty means the bot's own ``tenant_id``, and any under the development switch.
    ``token_issuer`` identifies the Bot Framework in its cloud: the issuer of its tokens and the audience of ours.

    Raises ``InsecureHosting`` for values that would silently switch authentication off.
    """

    app_id: str = ""
    app_password: str = field(default="", repr=False)
    app_type: AppType = AppType.SINGLE_TENANT
    tenant_id: str = ""
    openid_metadata_url: str = OPENID_METADATA_URL
    token_issuer: str = TOKEN_ISSUER
    entra_url: str = ENTRA_URL
    allowed_tenants: tuple[str, ...] = ()
    allowed_service_hosts: tuple[str, ...] = SERVICE_HOSTS
    dangerously_allow_unauthenticated: bool = False
    max_body_bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "app_type", _app_type(self.app_type))
        for url in (self.openid_metadata_url, self.entra_url):
            if not is_safe_url(url):
                raise InsecureHosting(f"{url!r} must be https (plain http is for loopback only)")
        if not self.dangerously_allow_unauthenticated:
            self._require_credentials()

    def _require_credentials(self) -> None:
        if not self.app_id:
            raise InsecureHosting(
                "an empty app id would let anyone call the bot: set BOT_APP_ID "
                "(or, on a developer's machine only, DANGEROUSLY_ALLOW_UNAUTHENTICATED=true)"
            )
        if not self.app_password and self.app_type is not AppType.USER_ASSIGNED_MSI:
            raise InsecureHosting("set BOT_APP_PASSWORD, or BOT_APP_TYPE=UserAssignedMSI for a managed identity")
        if not self.tenant_id and self.app_type is AppType.SINGLE_TENANT:
            raise InsecureHosting("a single tenant bot needs its tenant: set BOT_TENANT_ID")
        if not self.tenants:
            raise InsecureHosting("no tenant may use the bot: set BOT_TENANT_ID or ALLOWED_TENANTS")

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants whose people may use the bot, in lower case; empty means any (development only)."""
        if self.dangerously_allow_unauthenticated:
            return frozenset(tenant.lower() for tenant in self.allowed_tenants)
        own = (self.tenant_id,) if self.tenant_id else ()
        return frozenset(tenant.lower() for tenant in self.allowed_tenants or own)

    def allows_tenant(self, tenant_id: str) -> bool:
        return tenant_id in self.tenants or (not self.tenants and self.dangerously_allow_unauthenticated)

    def allows_service(self, url: str) -> bool:
        """Whether the bot may send, with its token, to this ``serviceUrl``."""
        parts = _split(url)
        if parts is None or not is_safe_url(url) or parts.query or parts.fragment or "{" in url:
            return False
        host = (parts.hostname or "").lower()
        if parts.port not in (None, 443) and not is_loopback_host(host):
            return False
        if self.dangerously_allow_unauthenticated and is_loopback_host(host):
            return True
        return any(_matches(host, pattern.lower()) for pattern in self.allowed_service_hosts)


def is_safe_url(url: str) -> bool:
    """Whether the URL is https without credentials in it, or http to this machine."""
    parts = _split(url)
    if parts is None or not parts.hostname or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname))


def _split(url: str) -> SplitResult | None:
    """The parts of ``url``; None when it is ambiguous or malformed."""
    if any(not "!" <= char <= "~" or char == "\\" for char in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _app_type(value: str) -> AppType:
    try:
        return AppType(value)
    except ValueError:
        known = ", ".join(AppType)
        raise InsecureHosting(f"BOT_APP_TYPE {value!r} is not one of {known}") from None
