from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import problems
from sync.credentials.store import CredentialStore
from sync.domain.errors import Fault, ServiceUnavailable
from sync.phones.subscriptions import Subscriptions, hashed
from tests.support.clocks import FakeClock
from tests.support.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.stores import empty_store, integration, read_integration, stored

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
URL = "https://bot.example"


class Post:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.cloudlink = self.clients.cloudlink
        self.jobs = FakeJobs()
        self.clock = FakeClock()

    async def keep(self, public_url: str = URL) -> str:
        """Run the job; the subscription that is stored after it."""
        renew = timedelta(hours=12)
        context = context_of(self.database, self.clients, self.jobs, self.clock)
        await Subscriptions(context, CredentialStore(ENCRYPTION), public_url, renew).keep("i1")
        return (await read_integration(self.database)).subscription_id


@asynccontextmanager
async def post(folder: Path, **values: object) -> AsyncIterator[Post]:
    sealed = {
        "webhook_token_sealed": ENCRYPTION.encrypt("token"),
        "cloudlink_secret_sealed": ENCRYPTION.encrypt("secret"),
    }
    async with empty_store(folder) as database:
        await stored(database, integration(**{**sealed, **values}))
        yield Post(database)


async def test_it_subscribes_once_and_polls_what_it_may_have_missed(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        assert [await at.keep(), await at.keep()] == ["s1", "s1"]
        assert at.cloudlink.subscribed == {"s1": f"{URL}/webhooks/cloudlink/token"}
        assert at.jobs.now() == ["poll"]


async def test_one_that_vanished_is_made_again(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.keep()
        at.cloudlink.subscribed.clear()
        assert await at.keep() == "s2"


async def test_another_url_needs_another_subscription_and_the_old_one_ends(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.keep()
        assert await at.keep("https://elsewhere.example/") == "s2"
        assert at.cloudlink.subscribed == {"s2": "https://elsewhere.example/webhooks/cloudlink/token"}


async def test_it_is_renewed_by_schedule(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.keep()
        at.clock.advance(hours=11)
        assert await at.keep() == "s1"
        at.clock.advance(hours=2)
        assert await at.keep() == "s2"
        assert list(at.cloudlink.subscribed) == ["s2"]
        assert await at.keep() == "s2"


async def test_without_a_public_url_or_disabled_it_ends(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.keep()
        assert await at.keep("") == ""
        assert at.cloudlink.subscribed == {}
    disabled = tmp_path / "disabled"
    disabled.mkdir()
    async with post(disabled, enabled=False, subscription_id="s9") as at:
        at.cloudlink.subscribed["s9"] = "somewhere"
        assert await at.keep() == ""
        assert at.cloudlink.subscribed == {}


async def test_trouble_lights_a_lamp_and_keeps_what_is_known(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.keep()
        at.cloudlink.error = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
        assert await at.keep() == "s1"
        async with at.database.session() as session:
            assert [row.fault for row in await problems.list_open(session, "i1")] == ["cloudlink.unreachable"]


async def test_an_address_whose_token_no_key_opens_is_replaced_by_another(tmp_path: Path) -> None:
    lost = {
        "webhook_token_sealed": Encryption([Fernet.generate_key().decode()]).encrypt("old"),
        "subscription_id": "s0",
    }
    async with post(tmp_path, **lost) as at:
        at.cloudlink.subscribed["s0"] = f"{URL}/webhooks/cloudlink/old"
        assert [await at.keep(), await at.keep()] == ["s1", "s1"]
        row = await read_integration(at.database)
        token = ENCRYPTION.decrypt(row.webhook_token_sealed)
        assert at.cloudlink.subscribed == {"s1": f"{URL}/webhooks/cloudlink/{token}"}
        assert (len(token) > 40, row.webhook_token_hash) == (True, hashed(token))


async def test_while_the_secret_cannot_be_opened_the_address_stays(tmp_path: Path) -> None:
    lost = Encryption([Fernet.generate_key().decode()]).encrypt("old")
    async with post(tmp_path, webhook_token_sealed=lost, cloudlink_secret_sealed=lost) as at:
        assert await at.keep() == ""
        row = await read_integration(at.database)
        assert row.webhook_token_sealed == lost
        async with at.database.session() as session:
            (problem,) = await problems.list_open(session, "i1")
        assert (problem.service, problem.fault, problem.lasting) == ("cloudlink", "secret.unreadable", True)
