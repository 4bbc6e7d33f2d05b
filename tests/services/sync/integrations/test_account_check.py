"""An account is checked where its token says it is."""

from dataclasses import dataclass, field, replace

import pytest

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CloudLinkAccount
from sync.integrations.account_check import check_account
from tests.support.services.fake_services import FakeCloudLink, FakeServiceClients

ACCOUNT = CloudLinkAccount("", "1000", "reader", "secret")
NO_HOST = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE, error="ClientConnectorDNSError")
NO_ROUTE = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE, error="ClientConnectorError")


@dataclass
class Regions(FakeServiceClients):
    """A CloudLink whose token names ``named``; ``asked`` are the regions of the clients made."""

    named: str = ""
    error: SyncError | None = None
    asked: list[str] = field(default_factory=list)

    def fresh_phones(self, account: CloudLinkAccount) -> "InRegion":
        self.asked.append(account.region)
        return InRegion(error=self.error, named=account.region or self.named)


@dataclass
class InRegion(FakeCloudLink):
    named: str = ""

    async def region(self) -> str:
        return self.named


@pytest.mark.parametrize(
    ("typed", "named", "asked"), [("", "eu", ["", "eu"]), ("", "", [""]), ("us", "eu", ["us"])]
)
async def test_the_token_names_the_region_unless_one_is_typed(typed: str, named: str, asked: list[str]) -> None:
    clients = Regions(named=named)
    found = await check_account(clients, replace(ACCOUNT, region=typed))
    assert (found.account_name, found.region, clients.asked) == ("Vale Verde", asked[-1], asked)


@pytest.mark.parametrize(
    ("region", "error", "fault"),
    [
        ("mars", NO_HOST, Fault.CLOUDLINK_REGION_INVALID),
        ("", NO_HOST, Fault.CLOUDLINK_UNREACHABLE),
        ("eu", NO_ROUTE, Fault.CLOUDLINK_UNREACHABLE),
        ("eu", CredentialsWrong(Fault.CLOUDLINK_REFUSED), Fault.CLOUDLINK_REFUSED),
    ],
)
async def test_a_region_without_a_server_is_unknown(region: str, error: SyncError, fault: Fault) -> None:
    with pytest.raises(SyncError) as caught:
        await check_account(Regions(error=error), replace(ACCOUNT, region=region))
    assert caught.value.fault is fault
