"""Tokens for tests of other things, and Entra's responses as msal expects them."""

import base64
import json
from typing import Any

from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from sync.domain.model import TeamsApp
from sync.teams.host_credentials import HostCredentials
from sync.teams.msal_http import TIMEOUT
from sync.teams.tokens import Entra

TENANT = "8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90"
SECRET = "entra~s3cret~value"
APP = TeamsApp(tenant_id=TENANT, client_id="1c9e1f0e-59a5-4c05-8b6c-6a0a6cb0a7d1", client_secret=SECRET)
ROLES = ["User.Read.All", "Presence.ReadWrite.All"]

DISCOVERY = f"GET /{TENANT}/v2.0/.well-known/openid-configuration"
TOKEN = f"POST /{TENANT}/oauth2/v2.0/token"


class CountedTokens:
    """``Tokens`` that returns ``token-1`` until ``forget`` is called, then ``token-2``; with ``roles``, a JWT."""

    def __init__(self) -> None:
        self.number = 1
        self.roles: list[str] | None = None

    async def token(self) -> str:
        return f"token-{self.number}" if self.roles is None else jwt(roles=self.roles)

    def forget(self) -> None:
        self.number += 1


def entra_at(url: str, timeout: float = TIMEOUT, registry: CollectorRegistry | None = None) -> Entra:
    return Entra(url, HostCredentials(), Metrics(registry or CollectorRegistry()), timeout)


def discovery(url: str, tenant: str = TENANT) -> dict[str, str]:
    base = f"{url}/{tenant}"
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
    }


def jwt(**claims: Any) -> str:
    parts = [{"alg": "none"}, claims]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), "sig"]
    )


def granted(roles: object = ROLES, **fields: Any) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": 3600, "access_token": jwt(roles=roles), **fields}


def refused(code: int, error: str = "invalid_client") -> dict[str, Any]:
    return {"error": error, "error_description": f"AADSTS{code}: Something. Trace ID: x", "error_codes": [code]}
