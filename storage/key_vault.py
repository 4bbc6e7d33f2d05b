"""Reads the encryption keys from Azure Key Vault. The only module that imports Azure's libraries.

The machine authenticates with a managed identity, a workload identity, or a service principal in the environment.
Source: Key Vault REST reference, Get Secret.
"""

import asyncio
import logging

from core.errors import CloudLinkPresenceError

TIMEOUT_SECONDS = 40.0
"""For all attempts together."""


class KeyVaultUnavailable(CloudLinkPresenceError):
    """The message says why, in a sentence; it repeats nothing of the vault's response."""


async def keys_from_vault(secret_url: str, identity: str = "", authorities: str = "") -> list[str]:
    """The comma-separated keys in the secret at ``https://VAULT.vault.azure.net/secrets/NAME``.

    ``identity`` is the client ID of a user-assigned managed identity; ``authorities`` is a file of certificate
    authorities to trust instead of the machine's. Raises ``KeyVaultUnavailable``.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError  # slow to import

    logging.getLogger("azure").setLevel(logging.CRITICAL)  # the exception says why
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            value = await _read(secret_url, identity, authorities)
    except ClientAuthenticationError:
        raise KeyVaultUnavailable("Azure gave this machine no identity that the vault takes") from None
    except HttpResponseError as error:
        raise KeyVaultUnavailable(_reason(error.status_code)) from None
    except (AzureError, TimeoutError, ValueError):
        raise KeyVaultUnavailable("the vault does not answer") from None
    except (AttributeError, TypeError):
        raise KeyVaultUnavailable("the vault's answer is not a secret") from None
    keys = [key.strip() for key in value.split(",") if key.strip()]
    if not keys:
        raise KeyVaultUnavailable("the vault's secret is empty")
    return keys


async def _read(secret_url: str, identity: str, authorities: str) -> str:
    from azure.identity.aio import DefaultAzureCredential
    from azure.keyvault.secrets import KeyVaultSecretIdentifier
    from azure.keyvault.secrets.aio import SecretClient

    secret = KeyVaultSecretIdentifier(secret_url)
    named = {"managed_identity_client_id": identity} if identity else {}
    async with (
        DefaultAzureCredential(**named) as credential,
        SecretClient(secret.vault_url, credential, retry_total=2, connection_verify=authorities or True) as vault,
    ):
        return (await vault.get_secret(secret.name, secret.version)).value or ""


def _reason(status: int | None) -> str:
    match status:
        case 403:
            return "this machine's identity may not read the vault's secrets (role: Key Vault Secrets User)"
        case 404:
            return "the vault has no secret of that name"
        case _:
            return f"the vault does not answer (HTTP {status})"
