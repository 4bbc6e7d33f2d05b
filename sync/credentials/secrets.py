"""An integration's credentials, opened. All raise ``CredentialsWrong`` when no key at hand opens them."""

from storage.encryption import Encryption, SecretUnreadable
from storage.tables.integrations import Integration
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import CloudLinkAccount, CredentialKind, Service, TeamsApp


def account_of(integration: Integration, encryption: Encryption) -> CloudLinkAccount:
    return CloudLinkAccount(
        integration.cloudlink_region,
        integration.cloudlink_account_id,
        integration.cloudlink_client_id,
        opened(encryption, integration.cloudlink_secret_sealed, Service.CLOUDLINK),
    )


def app_of(integration: Integration, encryption: Encryption) -> TeamsApp:
    kind = CredentialKind(integration.credential)
    secret = certificate = ""
    if kind is CredentialKind.SECRET:
        secret = opened(encryption, integration.client_secret_sealed, Service.ENTRA)
    elif kind is CredentialKind.CERTIFICATE and integration.certificate_sealed:
        certificate = opened(encryption, integration.certificate_sealed, Service.ENTRA)
    return TeamsApp(integration.tenant_id, integration.client_id, secret, kind, certificate)


def opened(encryption: Encryption, sealed: str, service: Service) -> str:
    try:
        return encryption.decrypt(sealed)
    except SecretUnreadable:
        raise CredentialsWrong(Fault.SECRET_UNREADABLE, service=service.value) from None
