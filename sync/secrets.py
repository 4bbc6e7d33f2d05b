"""An integration's credentials, opened. Both raise ``CredentialsWrong`` when no key at hand opens them."""

from storage.sealing import Seal, Unreadable
from storage.tables import Integration
from sync.errors import CredentialsWrong, Fault
from sync.model import CloudLinkAccount, Service, TeamsApp


def account_of(integration: Integration, seal: Seal) -> CloudLinkAccount:
    return CloudLinkAccount(
        integration.cloudlink_region,
        integration.cloudlink_account_id,
        integration.cloudlink_client_id,
        _opened(seal, integration.cloudlink_secret_sealed, Service.CLOUDLINK),
    )


def app_of(integration: Integration, seal: Seal) -> TeamsApp:
    secret = _opened(seal, integration.client_secret_sealed, Service.ENTRA)
    return TeamsApp(integration.tenant_id, integration.client_id, secret)


def _opened(seal: Seal, sealed: str, service: Service) -> str:
    try:
        return seal.open(sealed)
    except Unreadable:
        raise CredentialsWrong(Fault.SECRET_UNREADABLE, service=service.value) from None
