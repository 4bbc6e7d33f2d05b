"""An integration's credentials, opened. All raise ``CredentialsWrong`` when no key at hand opens them."""

from storage.sealing import Seal, Unreadable
from storage.tables import Integration
from sync.errors import CredentialsWrong, Fault
from sync.model import CloudLinkAccount, CredentialKind, Service, TeamsApp


def account_of(integration: Integration, seal: Seal) -> CloudLinkAccount:
    return CloudLinkAccount(
        integration.cloudlink_region,
        integration.cloudlink_account_id,
        integration.cloudlink_client_id,
        opened(seal, integration.cloudlink_secret_sealed, Service.CLOUDLINK),
    )


def app_of(integration: Integration, seal: Seal) -> TeamsApp:
    kind = CredentialKind(integration.credential)
    secret = certificate = ""
    if kind is CredentialKind.SECRET:
        secret = opened(seal, integration.client_secret_sealed, Service.ENTRA)
    elif kind is CredentialKind.CERTIFICATE and integration.certificate_sealed:
        certificate = opened(seal, integration.certificate_sealed, Service.ENTRA)
    return TeamsApp(integration.tenant_id, integration.client_id, secret, kind, certificate)


def opened(seal: Seal, sealed: str, service: Service) -> str:
    try:
        return seal.open(sealed)
    except Unreadable:
        raise CredentialsWrong(Fault.SECRET_UNREADABLE, service=service.value) from None
