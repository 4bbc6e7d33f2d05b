"""The platform's managed identity as a federated credential: nothing is kept, and nothing expires.

Microsoft identity platform: "Configure an application to trust a managed identity".
"""

from collections.abc import Callable

import httpx

from sync.domain.errors import CredentialsWrong, Fault

AUDIENCE = "api://AzureADTokenExchange"
TIMEOUT = 10.0


def managed_identity(client_id: str) -> Callable[[], str]:
    """Fetches tokens of the user-assigned identity ``client_id``; each call blocks, so call it in a thread.

    The calls raise ``CredentialsWrong`` (ENTRA_FEDERATION_UNREADABLE) where the platform gives none.
    """

    def token() -> str:
        import msal  # slow to import

        with httpx.Client(timeout=TIMEOUT, trust_env=False) as http:
            identity = msal.UserAssignedManagedIdentity(client_id=client_id)
            client = msal.ManagedIdentityClient(identity, http_client=http)
            try:
                answer = client.acquire_token_for_client(resource=AUDIENCE)
            except (httpx.HTTPError, msal.exceptions.MsalError, ValueError):
                answer = {}
        given = answer.get("access_token")
        if not isinstance(given, str):
            raise CredentialsWrong(Fault.ENTRA_FEDERATION_UNREADABLE)
        return given

    return token
