"""Addresses of CloudLink's services: ``https://{service}[.region].api.mitel.io/{version}/...``.

The host pattern and the services are documented (CloudLink developer site, "Platform"); a region
between service and ``api`` is only seen in client code, so the whole pattern is a setting.
"""

import re
from enum import StrEnum
from urllib.parse import quote, urlsplit

from core.claims import unverified_claims
from core.http.client import is_loopback
from sync.domain.errors import CredentialsWrong, Fault

VERSION = "2017-09-01"
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){0,39}")


class CloudLinkService(StrEnum):
    AUTHENTICATION = "authentication"
    ADMIN = "admin"
    NOTIFICATIONS = "notifications"
    MEDIA = "media"


def service_url(pattern: str, region: str, service: CloudLinkService) -> str:
    """A service's base URL, without a trailing slash.

    A region replaces ``{region}`` in the pattern, else follows the service's host label; a pattern that names
    services by path, or is on this machine, has no regions. Raises ``CredentialsWrong``
    (CLOUDLINK_REGION_INVALID) for a region that could make a different host.
    """
    region = _checked(region)
    if is_loopback(pattern):
        filled = pattern.replace(".{region}", "").replace("{region}", "")
    elif "{region}" in pattern:
        filled = pattern.replace(".{region}", f".{region}" if region else "").replace("{region}", region)
    elif region and "{service}" in urlsplit(pattern).netloc:
        filled = pattern.replace("{service}", f"{{service}}.{region}")
    else:
        filled = pattern
    return filled.replace("{service}", service).rstrip("/")


def _checked(region: str) -> str:
    region = region.strip().lower()
    if region and not _REGION.fullmatch(region):
        raise CredentialsWrong(Fault.CLOUDLINK_REGION_INVALID)
    return region


def region_in(token: str, pattern: str, account_id: str) -> str:
    """The region that a token's claim ``domain`` names; empty for the default one and where there is no such claim.

    In Mitel's published sample it is ``<account id>.us.dev.api.mitel.io``. A domain that is not of the pattern's
    host names none.
    """
    domain = (unverified_claims(token) or {}).get("domain")
    host = urlsplit(pattern).netloc.replace("{service}", "").replace("{region}", "").strip(".")
    if not isinstance(domain, str) or not host or not domain.lower().endswith(f".{host}"):
        return ""
    account, _, region = domain.lower().removesuffix(f".{host}").partition(".")
    return region if account == account_id.strip().lower() and _REGION.fullmatch(region) else ""


def segment(value: str) -> str:
    """Any value, quoted as one segment of a path."""
    return quote(value, safe="").replace(".", "%2E") if value in {".", ".."} else quote(value, safe="")


def token() -> str:
    return f"/{VERSION}/token"


def account(account_id: str) -> str:
    return f"/{VERSION}/accounts/{segment(account_id)}"


def users(account_id: str) -> str:
    return f"{account(account_id)}/users"


def endpoint(extension: str) -> str:
    return f"/{VERSION}/endpoints/{segment(extension)}"


def calls(extension: str) -> str:
    return f"{endpoint(extension)}/calls"


def subscriptions() -> str:
    return f"/{VERSION}/subscriptions"


def subscription(subscription_id: str) -> str:
    return f"{subscriptions()}/{segment(subscription_id)}"
