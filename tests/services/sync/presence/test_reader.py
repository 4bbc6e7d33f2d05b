from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries.health import problems
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.presence import Shown
from sync.presence.reader import PresenceReader
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import AVAILABLE, FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored, with_secrets

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
IN_A_CALL = Shown("Busy", "InACall")


class Bench:
    def __init__(self, database: Database, quota: int = 1500) -> None:
        self.database = database
        self.clock = FakeClock()
        self.clients = FakeServiceClients()
        metrics = Metrics(CollectorRegistry())
        context = context_of(database, self.clients, clock=self.clock, metrics=metrics)
        self.reader = PresenceReader(context, CredentialStore(ENCRYPTION), QuotaLedger(Quota(quota), metrics))

    async def spent(self) -> list[list[float]]:
        return (await read_integration(self.database)).quota_spent


@asynccontextmanager
async def bench(folder: Path, quota: int = 1500) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        await stored(database, with_secrets(integration(), ENCRYPTION, client_secret_sealed="secret"))
        yield Bench(database, quota)


async def test_what_teams_shows_is_read_by_id_without_those_graph_does_not_know(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.shown = {"ana": IN_A_CALL}
        at.clients.graph.unknown = {"gone"}
        assert await at.reader.read("i1", ["rui", "ana", "gone", "ana"]) == {"ana": IN_A_CALL, "rui": AVAILABLE}
        assert at.clients.graph.asked == [["ana", "gone", "rui"]]
        assert await at.reader.read("i1", []) == {}
        assert await at.reader.read("another", ["ana"]) == {}
        assert len(at.clients.graph.asked) == 1


async def test_650_people_are_one_request_and_each_counts_from_its_answer_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        found = await at.reader.read("i1", [f"user {number}" for number in range(1301)])
        assert (len(found), [len(each) for each in at.clients.graph.asked]) == (1301, [650, 650, 1])
        assert await at.spent() == [[int(NOON.timestamp()), 3]]


async def test_without_room_in_the_quota_nothing_is_asked(tmp_path: Path) -> None:
    async with bench(tmp_path, quota=1) as at:
        await at.reader.read("i1", ["ana"])
        with pytest.raises(ServiceUnavailable) as raised:
            await at.reader.read("i1", ["ana"])
        assert raised.value.fault is Fault.GRAPH_THROTTLED
        assert raised.value.retry_after
        assert len(at.clients.graph.asked) == 1
        at.clock.advance(seconds=33)
        await at.reader.read("i1", ["ana"])


async def test_a_throttled_read_stops_writes_too_and_a_refused_one_stops_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_THROTTLED, 20.0)
        with pytest.raises(ServiceUnavailable):
            await at.reader.read("i1", ["ana"])
        row = await read_integration(at.database)
        assert row.quota_blocked_until is not None
        assert ((row.quota_blocked_until - NOON).total_seconds(), row.quota_limit) == (20, 750)
        at.clock.advance(seconds=21)
        at.clients.graph.error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
        with pytest.raises(CredentialsWrong):
            await at.reader.read("i1", ["ana"])
        assert (await read_integration(at.database)).quota_limit == 750


@pytest.mark.parametrize(("seconds", "faults"), [(20.0, []), (600.0, ["graph.throttled"])])
async def test_that_graph_limits_reads_for_long_is_a_problem(
    tmp_path: Path, seconds: float, faults: list[str]
) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_THROTTLED, seconds)
        with pytest.raises(ServiceUnavailable):
            await at.reader.read("i1", ["ana"])
        async with at.database.session() as session:
            assert [row.fault for row in await problems.list_open(session, "i1")] == faults


async def test_an_integration_whose_credentials_are_refused_spends_no_quota(tmp_path: Path) -> None:
    """Its application may be another customer's by now, who shares the quota."""
    async with bench(tmp_path) as at:
        async with at.database.writing() as session:
            await problems.upsert_open(session, "i1", "entra", Fault.ENTRA_SECRET_WRONG.value, {}, True, NOON)
        with pytest.raises(CredentialsWrong) as raised:
            await at.reader.read("i1", ["ana"])
        assert raised.value.fault is Fault.ENTRA_SECRET_WRONG
        assert (await at.spent(), at.clients.graph.asked) == ([], [])
