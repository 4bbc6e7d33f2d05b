"""Tokens of the platform's managed identity: no secret is stored, and nothing expires.

As a tenant application's federated credential: Microsoft identity platform, "Configure an application to trust a
managed identity".
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from sync.domain.errors import CredentialsWrong, Fault

AUDIENCE = "api://AzureADTokenExchange"
TIMEOUT = 10.0


def acquire_token(client_id: str, resource: str) -> Mapping[str, Any]:
    """msal's response for a token of the user-assigned identity ``client_id``; blocks, so call it in a thread.

    Raises httpx's and msal's errors and ``ValueError``, unchanged.
    """
    import msal  # slow to import

    with httpx.Client(timeout=TIMEOUT, trust_env=False) as http:
        identity = msal.UserAssignedManagedIdentity(client_id=client_id)
        client = msal.ManagedIdentityClient(identity, http_client=http)
        response: Mapping[str, Any] = client.acquire_token_for_client(resource=resource)
        return response


def managed_identity(client_id: str) -> Callable[[], str]:
    """A function that fetches the identity's token for Entra's token exchange; each call blocks.

    It raises ``CredentialsWrong`` (ENTRA_FEDERATION_UNREADABLE) where the platform gives no token.
    """

    def token() -> str:
        import msal  # slow to import

        try:
            value = acquire_token(client_id, AUDIENCE).get("access_token")
        except (httpx.HTTPError, msal.exceptions.MsalError, ValueError):
            value = None
        if not isinstance(value, str):
            raise CredentialsWrong(Fault.ENTRA_FEDERATION_UNREADABLE)
        return value

    return token
