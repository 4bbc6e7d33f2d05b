from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import problems
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.phone_events import CallSnapshot, CallState, LineSnapshot
from sync.phones.ingest import EventIngestor
from sync.phones.poller import CHUNK, PAUSE, SAMPLES, Poller
from tests.support.clocks import NOON, FakeClock
from tests.support.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.stores import (
    empty_store,
    integration,
    person,
    read_integration,
    read_person,
    stored,
    with_secrets,
)

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = "Busy/InACall"


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.jobs = FakeJobs()
        self.clock = FakeClock()
        self.pauses: list[float] = []
        context = context_of(database, self.clients, self.jobs, self.clock)
        self.poller = Poller(context, CredentialStore(ENCRYPTION), EventIngestor(context), self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def connected(self, extension: str) -> None:
        call = CallSnapshot("c", CallState.CONNECTED, "connected", conference=False, at=5)
        self.clients.cloudlink.phones[extension] = LineSnapshot(extension, "", "busy", False, (call,), 5)


@asynccontextmanager
async def bench(folder: Path, *people: Person, **values: object) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        row = integration(**{"polled_at": None, **values})
        await stored(database, with_secrets(row, ENCRYPTION, cloudlink_secret_sealed="secret"))
        async with database.writing() as session:
            session.add_all(people)
        yield Bench(database)


async def test_a_poll_sets_the_desired_presence_and_queues_a_push(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        at.connected("ext p1")
        await at.poller.poll("i1")
        assert (await read_person(at.database)).desired == CALL
        assert (await read_integration(at.database)).polled_at == NOON
        assert at.jobs.now() == ["push", "push"]


async def test_many_phones_are_read_in_chunks_with_pauses_and_the_busy_ones_first(tmp_path: Path) -> None:
    people = [person(f"{n:03}") for n in range(60)] + [person("zzz", desired=CALL)]
    async with bench(tmp_path, *people) as at:
        await at.poller.poll("i1")
        asked = at.clients.cloudlink.asked
        assert [len(chunk) for chunk in asked] == [CHUNK, CHUNK, 61 - 2 * CHUNK]
        assert asked[0][0] == "ext zzz"
        assert at.pauses == [PAUSE, PAUSE]


async def test_a_preview_reads_some_phones_without_pauses_and_is_not_a_poll(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        await at.poller.refresh(await read_integration(at.database), at_most=30)
        assert sum(len(chunk) for chunk in at.clients.cloudlink.asked) == 30
        assert at.pauses == []
        assert (await read_integration(at.database)).polled_at is None


async def test_a_phone_unknown_to_cloudlink_does_not_stay_busy(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        at.connected("ext p1")
        await at.poller.poll("i1")
        at.clients.cloudlink.phones.clear()
        at.clock.advance(minutes=2)
        await at.poller.poll("i1")
        assert (await read_person(at.database)).desired is None


async def test_refused_credentials_open_a_problem_that_the_next_successful_poll_closes(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        at.clients.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        await at.poller.poll("i1")
        assert (await read_integration(at.database)).polled_at is None
        async with at.database.session() as session:
            assert [row.lasting for row in await problems.list_open(session, "i1")] == [True]
        at.clients.cloudlink.error = None
        await at.poller.poll("i1")
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []


async def test_a_disabled_integration_is_not_polled(tmp_path: Path) -> None:
    async with bench(tmp_path, person(), enabled=False) as at:
        await at.poller.poll("i1")
        assert at.clients.cloudlink.asked == []


async def test_a_sample_contains_who_is_on_the_phone_and_all_samples_everyone(tmp_path: Path) -> None:
    quiet = [person(f"{n:03}", line="idle") for n in range(120)]
    busy, new = person("busy", line="on_call", desired=CALL), person("new")
    async with bench(tmp_path, *quiet, busy, new) as at:
        at.connected("ext busy")
        at.connected("ext new")
        samples = []
        for _ in range(SAMPLES):
            at.clients.cloudlink.asked.clear()
            await at.poller.poll_sample("i1")
            samples.append({extension for chunk in at.clients.cloudlink.asked for extension in chunk})
            assert (await read_integration(at.database)).polled_at == at.clock()
            at.clock.advance(minutes=5)
        assert all({"ext busy", "ext new"} <= sample for sample in samples)
        assert max(map(len, samples)) < 40
        assert len(set.union(*samples)) == 122


async def test_a_sample_finds_the_missed_end_of_a_call(tmp_path: Path) -> None:
    async with bench(tmp_path, person(desired=CALL, line="on_call")) as at:
        at.connected("ext p1")
        await at.poller.poll_sample("i1")
        at.clients.cloudlink.phones["ext p1"] = LineSnapshot("ext p1", "", "idle", False, (), 6)
        await at.poller.poll_sample("i1")
        assert (await read_person(at.database)).desired is None
