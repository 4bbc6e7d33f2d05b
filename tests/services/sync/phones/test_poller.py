from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations
from storage.queries.health import problems
from storage.tables.people import Endpoint, Person
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.jobs import POLL_CHUNK, POLL_NOW
from sync.domain.model import Actor, UnknownIntegration
from sync.domain.phone_events import LineSnapshot
from sync.domain.services import LinesRead
from sync.integrations.service import IntegrationService
from sync.phones.poller import CHUNK, PAUSE, SAMPLES, UNDELAYED, Poller
from sync.problems import health
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import (
    empty_store,
    integration,
    person,
    read_integration,
    read_person,
    stored,
    with_secrets,
)
from tests.support.sync.flows import flow_of

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = "Busy/InACall"


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.jobs = FakeJobs()
        self.clock = FakeClock()
        self.context = context = context_of(database, self.clients, self.jobs, self.clock)
        self.poller = Poller(context, store := CredentialStore(ENCRYPTION), flow_of(context, store))

    async def poll(self, *, whole: bool = True, chunks: int = 1000) -> list[float]:
        """A round, or as many of its chunks; returns the seconds before each chunk."""
        pauses: list[float] = []
        await (self.poller.poll if whole else self.poller.poll_sample)("i1")
        while len(pauses) < chunks and (due := self._next_chunk()):
            pauses.append((due - self.clock()).total_seconds())
            self.clock.advance(seconds=pauses[-1])
            await self.poller.poll_chunk("i1")
        return pauses

    def _next_chunk(self) -> datetime | None:
        times = [at for job, _, at in self.jobs.deferred if job == POLL_CHUNK]
        self.jobs.deferred = [each for each in self.jobs.deferred if each[0] != POLL_CHUNK]
        return times[0] if times else None

    def connected(self, extension: str) -> None:
        self.clients.cloudlink.connect(extension)


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
        await at.poll()
        assert (await read_person(at.database)).desired == CALL
        assert (await read_integration(at.database)).polled_at == NOON
        assert at.jobs.now() == ["push", "push"]


async def test_many_phones_are_read_in_chunks_with_pauses_and_the_busy_ones_first(tmp_path: Path) -> None:
    people = [person(f"{n:03}") for n in range(60)] + [person("zzz", desired=CALL)]
    async with bench(tmp_path, *people) as at:
        assert await at.poll() == [0, PAUSE, PAUSE]
        asked = at.clients.cloudlink.asked
        assert [len(chunk) for chunk in asked] == [CHUNK, CHUNK, 61 - 2 * CHUNK]
        assert asked[0][0] == "ext zzz"
        assert (await read_integration(at.database)).polled_at == NOON


async def test_a_round_that_was_interrupted_continues_where_it_was(tmp_path: Path) -> None:
    """A crash loses the queued job; the schedule queues a poll again, and then again while the round lasts."""
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        await at.poll(chunks=1)
        at.jobs.deferred.clear()
        await at.poller.poll("i1")
        assert await at.poll() == [PAUSE, PAUSE]
        asked = [extension for chunk in at.clients.cloudlink.asked for extension in chunk]
        assert asked == [f"ext {n:03}" for n in range(60)]
        assert (await read_integration(at.database)).polled_at == NOON


async def test_a_sample_does_not_interrupt_a_round_and_a_round_replaces_a_sample(tmp_path: Path) -> None:
    people = [person(f"{n:03}") for n in range(60)]
    async with bench(tmp_path, *people) as at:
        await at.poll(whole=False, chunks=1)
        await at.poll(chunks=1)
        assert [len(chunk) for chunk in at.clients.cloudlink.asked] == [CHUNK, CHUNK]
        await at.poll(whole=False)
        assert sum(map(len, at.clients.cloudlink.asked)) == CHUNK + 60


async def test_phones_that_cannot_be_read_are_tried_again_after_the_others(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        at.clients.cloudlink.error = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
        await at.poll()
        at.clients.cloudlink.error = None
        assert await at.poll() == [PAUSE, PAUSE, PAUSE]
        assert [chunk[0] for chunk in at.clients.cloudlink.asked] == ["ext 025", "ext 050", "ext 000"]


@pytest.mark.parametrize(
    "error", [CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN), ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE)]
)
async def test_a_phone_that_cannot_be_read_is_left_as_it_is_and_stops_no_other(
    tmp_path: Path, error: SyncError
) -> None:
    people = (person(desired=CALL, line="on_call", heard_at=NOON), person("p2"), person("p3"))
    async with bench(tmp_path, *people) as at:
        at.clients.cloudlink.unread["ext p1"] = error
        at.connected("ext p2")
        await at.poll()
        assert [(await read_person(at.database, name)).line for name in ("p1", "p2", "p3")] == [
            *("on_call", "on_call", "offline")
        ]
        assert (await read_integration(at.database)).polled_at is not None
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []
        assert await at.poller.ask("t1", "i1", "p1") is False


@pytest.mark.parametrize("whole", [True, False])
async def test_when_none_of_an_integrations_phones_can_be_read_cloudlink_has_a_problem(
    tmp_path: Path, whole: bool
) -> None:
    """Also where only a few of them were to be read."""
    async with bench(tmp_path, *(person(f"p{n}", line="idle") for n in range(8))) as at:
        error = CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN)
        at.clients.cloudlink.unread.update({f"ext p{n}": error for n in range(8)})
        await at.poll(whole=whole)
        async with at.database.session() as session:
            assert [row.fault for row in await problems.list_open(session, "i1")] == ["cloudlink.forbidden"]


async def test_a_phone_that_is_read_out_of_turn_and_cannot_be_is_left_to_the_next_round(tmp_path: Path) -> None:
    async with bench(tmp_path, person(), person("p2")) as at:
        async with at.database.writing() as session:
            session.add(Endpoint(person_id="p1", extension="ext p1", integration_id="i1", poll_at=NOON))
        at.clients.cloudlink.unread["ext p1"] = CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN)
        await at.poller.poll_now("i1")
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []
        assert POLL_NOW not in {job for job, _, _ in at.jobs.deferred}


async def test_a_round_during_which_events_were_lost_does_not_close_the_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its last phones were being read just then."""
    async with bench(tmp_path, person(), catch_up_since=NOON) as at:

        async def lose_events(_extensions: object) -> LinesRead:
            async with at.database.writing() as session:
                await integrations.mark_gap(session, at.clock())
            return LinesRead([])

        with monkeypatch.context() as patched:
            patched.setattr(at.clients.cloudlink, "lines", lose_events)
            await at.poll()
        assert (await read_integration(at.database)).catch_up_since == NOON
        await at.poll()
        assert (await read_integration(at.database)).catch_up_since is None


async def test_a_round_of_before_a_pause_is_not_continued_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        await at.poll(chunks=1)
        service = IntegrationService(at.context, CredentialStore(ENCRYPTION))
        await service.disable("t1", "i1", Actor("a"))
        await at.poller.poll_chunk("i1")
        await service.enable("t1", "i1", Actor("a"))
        at.clients.cloudlink.asked.clear()
        await at.poll()
        assert sum(map(len, at.clients.cloudlink.asked)) == 60


async def test_a_tenant_with_many_integrations_polls_each_more_slowly(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        await stored(at.database, *(integration(id=f"other{n}") for n in range(2 * UNDELAYED - 1)))
        await stored(at.database, integration(id="off", enabled=False), integration(id="x", owner_tenant="t2"))
        assert await at.poll() == [0, 2 * PAUSE, 2 * PAUSE]


async def test_a_preview_reads_some_phones_without_pauses_and_is_not_a_poll(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"{n:03}") for n in range(60))) as at:
        await at.poller.refresh(await read_integration(at.database), at_most=30)
        assert sum(len(chunk) for chunk in at.clients.cloudlink.asked) == 30
        assert (await read_integration(at.database)).polled_at is None


async def test_a_phone_unknown_to_cloudlink_does_not_stay_busy(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        at.connected("ext p1")
        await at.poll()
        at.clients.cloudlink.phones.clear()
        at.clock.advance(minutes=2)
        await at.poll()
        assert (await read_person(at.database)).desired is None


async def test_refused_credentials_open_a_problem_that_the_next_successful_poll_closes(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        at.clients.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        await at.poll()
        assert (await read_integration(at.database)).polled_at is None
        async with at.database.session() as session:
            assert [row.lasting for row in await problems.list_open(session, "i1")] == [False]
        at.clients.cloudlink.error = None
        await at.poll()
        async with at.database.session() as session:
            assert await problems.list_open(session, "i1") == []


async def test_a_disabled_integration_is_not_polled(tmp_path: Path) -> None:
    async with bench(tmp_path, person(), enabled=False) as at:
        await at.poll()
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
            await at.poll(whole=False)
            samples.append({extension for chunk in at.clients.cloudlink.asked for extension in chunk})
            began = (await read_integration(at.database)).polled_at
            assert began is not None
            assert at.clock() - began < timedelta(seconds=len(at.clients.cloudlink.asked))
            at.clock.advance(minutes=7)  # samples are due every 5 minutes: some were late
        assert all({"ext busy", "ext new"} <= sample for sample in samples)
        assert max(map(len, samples)) < 40
        assert len(set.union(*samples)) == 122


async def test_a_sample_contains_everyone_with_a_status_message_of_a_call(tmp_path: Path) -> None:
    """Also where nothing else is shown for the call."""
    people = [person(f"{n:02}", line="on_call", status_message="On the phone") for n in range(20)]
    async with bench(tmp_path, *people) as at:
        await at.poll(whole=False)
        assert len({extension for chunk in at.clients.cloudlink.asked for extension in chunk}) == 20


async def test_a_sample_finds_the_missed_end_of_a_call(tmp_path: Path) -> None:
    async with bench(tmp_path, person(desired=CALL, line="on_call")) as at:
        at.connected("ext p1")
        await at.poll(whole=False)
        at.clients.cloudlink.phones["ext p1"] = LineSnapshot("ext p1", "", "idle", False, (), 6)
        await at.poll(whole=False)
        assert (await read_person(at.database)).desired is None


async def test_a_person_whose_call_was_missed_is_read_when_asked_about(tmp_path: Path) -> None:
    async with bench(tmp_path, person(line="idle", heard_at=NOON), person("p2", line="idle")) as at:
        at.connected("ext p1")
        assert await at.poller.ask("t1", "i1", "p1") is True
        assert (await read_person(at.database, "p1")).desired == CALL
        assert at.clients.cloudlink.asked == [("ext p1",)]
        at.clients.cloudlink.phones["ext p1"] = LineSnapshot("ext p1", "nobody we know", "idle", False, (), 6)
        assert await at.poller.ask("t1", "i1", "p1") is None
        at.clients.cloudlink.error = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
        assert await at.poller.ask("t1", "i1", "p1") is False
        with pytest.raises(UnknownIntegration):
            await at.poller.ask("t2", "i1", "p1")


async def test_cloudlink_is_not_asked_by_a_press_while_it_has_a_problem(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        async with at.database.writing() as session:
            error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
            await health.mark_unhealthy(session, "i1", error, NOON)
        assert await at.poller.ask("t1", "i1", "p1") is None
        assert at.clients.cloudlink.asked == []
