from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries.health import problems
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.phones.subscriptions import Subscriptions, hashed
from sync.problems.incidents import SUBSCRIPTION
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import decrypted, empty_store, integration, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
LOST = Encryption([Fernet.generate_key().decode()]).encrypt("old", b"anywhere")
URL = "https://bot.example"


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.cloudlink = self.clients.cloudlink
        self.jobs = FakeJobs()
        self.clock = FakeClock()

    async def ensure(self, public_url: str = URL) -> str:
        """Run the job; returns the stored subscription."""
        renew = timedelta(hours=12)
        context = context_of(self.database, self.clients, self.jobs, self.clock)
        await Subscriptions(context, CredentialStore(ENCRYPTION), public_url, renew).ensure("i1")
        return (await read_integration(self.database)).subscription_id


@asynccontextmanager
async def bench(folder: Path, **values: object) -> AsyncIterator[Bench]:
    row = with_secrets(integration(), ENCRYPTION, webhook_token_sealed="token", cloudlink_secret_sealed="secret")
    async with empty_store(folder) as database:
        await stored(database, row.sqlmodel_update(values))
        yield Bench(database)


async def test_it_subscribes_once_and_polls_what_was_missed_before(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert [await at.ensure(), await at.ensure()] == ["s1", "s1"]
        assert at.cloudlink.subscribed == {"s1": f"{URL}/webhooks/cloudlink/token"}
        assert at.jobs.now() == ["poll"]


async def test_a_subscription_missing_at_cloudlink_is_created_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ensure()
        at.cloudlink.subscribed.clear()
        assert await at.ensure() == "s2"


async def test_a_new_url_gets_a_new_subscription_and_the_former_one_is_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ensure()
        assert await at.ensure("https://elsewhere.example/") == "s2"
        assert at.cloudlink.subscribed == {"s2": "https://elsewhere.example/webhooks/cloudlink/token"}


async def test_a_subscription_is_renewed_at_an_interval(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ensure()
        at.clock.advance(hours=11)
        assert await at.ensure() == "s1"
        at.clock.advance(hours=2)
        assert await at.ensure() == "s2"
        assert list(at.cloudlink.subscribed) == ["s2"]
        assert await at.ensure() == "s2"


async def test_without_a_public_url_or_when_disabled_the_subscription_is_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ensure()
        assert await at.ensure("") == ""
        assert at.cloudlink.subscribed == {}
    disabled = tmp_path / "disabled"
    disabled.mkdir()
    async with bench(disabled, enabled=False, subscription_id="s9") as at:
        at.cloudlink.subscribed["s9"] = "somewhere"
        assert await at.ensure() == ""
        assert at.cloudlink.subscribed == {}


async def test_a_failure_opens_a_problem_and_keeps_the_subscription(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ensure()
        at.cloudlink.error = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
        assert await at.ensure() == "s1"
        async with at.database.session() as session:
            assert [row.fault for row in await problems.list_open(session, "i1")] == ["cloudlink.unreachable"]


async def test_a_refused_subscription_stops_no_polls_and_is_a_problem_of_its_own(tmp_path: Path) -> None:
    """Phones can be read; so calls show in Teams, and only their events do not come."""
    async with bench(tmp_path) as at:
        at.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN)
        for seconds, again in ((0, True), (5, False), (300, False)):
            at.clock.advance(seconds=seconds)
            at.jobs.deferred.clear()
            assert await at.ensure() == ""
            assert bool(at.jobs.deferred) is again
            async with at.database.session() as session:
                (problem,) = await problems.list_open(session, "i1")
            assert (problem.service, problem.lasting, problem.since) == (SUBSCRIPTION, False, NOON)
            assert (await read_integration(at.database)).subscription_checked_at == at.clock()
        at.cloudlink.error = None
        assert await at.ensure() == "s1"
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []


async def test_who_wants_no_events_any_more_has_no_problem_with_them(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN)
        await at.ensure()
        await at.ensure("")
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []


async def test_a_token_that_no_key_decrypts_is_replaced(tmp_path: Path) -> None:
    undecryptable = {
        "webhook_token_sealed": LOST,
        "subscription_id": "s0",
    }
    async with bench(tmp_path, **undecryptable) as at:
        at.cloudlink.subscribed["s0"] = f"{URL}/webhooks/cloudlink/old"
        assert [await at.ensure(), await at.ensure()] == ["s1", "s1"]
        row = await read_integration(at.database)
        token = decrypted(ENCRYPTION, row, "webhook_token_sealed")
        assert at.cloudlink.subscribed == {"s1": f"{URL}/webhooks/cloudlink/{token}"}
        assert (len(token) > 40, row.webhook_token_hash) == (True, hashed(token))


async def test_while_the_secret_cannot_be_decrypted_the_token_stays(tmp_path: Path) -> None:
    async with bench(tmp_path, webhook_token_sealed=LOST, cloudlink_secret_sealed=LOST) as at:
        assert await at.ensure() == ""
        row = await read_integration(at.database)
        assert row.webhook_token_sealed == LOST
        async with at.database.session() as session:
            (problem,) = await problems.list_open(session, "i1")
        assert (problem.service, problem.fault, problem.lasting) == ("cloudlink", "secret.unreadable", True)
