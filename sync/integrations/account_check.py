"""Checks a CloudLink account with a token of its own, and finds its region."""

from dataclasses import replace

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import CloudLinkAccount, CloudLinkCheck
from sync.domain.services import ServiceClients

UNKNOWN_HOST = "ClientConnectorDNSError"


async def check_account(clients: ServiceClients, account: CloudLinkAccount) -> CloudLinkCheck:
    """Get a token, read the account's region from it if none is set, then the account and its users.

    Raises ``SyncError``; for a region that has no server, ``CredentialsWrong`` (CLOUDLINK_REGION_INVALID).
    """
    phones = clients.fresh_phones(account)
    try:
        region = await phones.region()
        if region != account.region:
            phones = clients.fresh_phones(replace(account, region=region))
        name = await phones.account_name()
        return CloudLinkCheck(name, len(await phones.users()), region)
    except ServiceUnavailable as error:
        if not account.region or error.context.get("error") != UNKNOWN_HOST:
            raise
    raise CredentialsWrong(Fault.CLOUDLINK_REGION_INVALID)
