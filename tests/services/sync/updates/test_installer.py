"""The installer with steps made by the test: what is stored, resumed and rolled back."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries import clock
from storage.queries import updates as store
from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.jobs import INSTALL, SHOW_UPDATE
from sync.domain.model import Actor
from sync.updates.installer import Installer
from sync.updates.model import CardAddress, InstallationState, PlannedChange
from sync.updates.service import UpdateService
from sync.updates.update import Batch, Facts, RaiseVersion, StepTransaction, UpdateStep
from tests.support.clocks import FakeClock
from tests.support.services.fake_services import context_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored

pytestmark = pytest.mark.usefixtures("each_database")

CARD = CardAddress("t1", "ana", "card-1")
ANA = Actor("ana", "Ana")


class Killed(BaseException):
    pass


@dataclass
class Counting:
    """A step of ``size`` items in batches of two; ``error`` is raised once ``after`` are done."""

    name: str
    log: list[str]
    size: int = 4
    after: int = 0
    error: BaseException | None = None

    async def total(self, integration: Integration, facts: Facts) -> int:
        return self.size

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        if self.error and done >= self.after:
            raise self.error

        async def keep(transaction: StepTransaction) -> None:
            transaction.facts[self.name] = [*transaction.facts.get(self.name, []), done]
            self.log.append(f"{self.name} {done}")

        return Batch(2, keep)

    async def undo(self, transaction: StepTransaction) -> None:
        self.log.append(f"undo {self.name}")
        transaction.facts.pop(self.name, None)


@dataclass
class Sample:
    version: int
    steps: list[UpdateStep]
    jobs: tuple[str, ...] = ("push",)

    async def dry_run(self, integration: Integration) -> tuple[PlannedChange, ...]:
        return (PlannedChange("people", 1),)


@dataclass
class Deferred:
    """Records what was deferred."""

    asked: list[tuple[str, datetime | None]] = field(default_factory=list)
    shared: None = None

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        self.asked.append((job, at))

    async def defer_all(self, names: Iterable[tuple[str, str]]) -> None:
        for job, key in names:
            await self.defer(job, key)

    async def queued(self, job: str) -> set[str]:
        return set()

    def names(self) -> list[str]:
        return [job for job, _ in self.asked]


class Bench:
    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.jobs, self.log = database, FakeClock(), Deferred(), list[str]()
        self.first, self.second = Counting("first", self.log), Counting("second", self.log)
        self.catalogue = {
            2: Sample(2, [self.first, RaiseVersion(2), self.second]),
            3: Sample(3, [Counting("third", self.log, size=0), RaiseVersion(3)]),
        }
        context = context_of(database, jobs=self.jobs, clock=self.clock)
        self.updates = UpdateService(context, self.catalogue)
        self.installer = Installer(context, self.catalogue, timedelta(minutes=2))

    async def begin(self, version: int = 3) -> None:
        assert await self.updates.install("t1", "i1", version, "On the phone", ANA, CARD)

    async def rows(self) -> list[FeatureUpdate]:
        async with self.database.session() as session:
            return await store.list_newest(session, "i1")

    async def states(self) -> list[tuple[int, str]]:
        return [(row.version, row.state) for row in await self.rows()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        yield Bench(database)


async def test_steps_run_in_order_and_batches_are_counted(bench: Bench) -> None:
    await bench.begin()
    await bench.installer.install("i1")
    assert bench.log == ["first 0", "first 2", "second 0", "second 2"]
    assert await bench.states() == [(2, "completed"), (3, "completed")]
    assert (await read_integration(bench.database)).feature_version == 3
    assert {INSTALL, SHOW_UPDATE, "push"} <= set(bench.jobs.names())


async def test_after_a_kill_the_step_resumes_after_the_last_stored_batch(bench: Bench) -> None:
    await bench.begin()
    bench.second.after, bench.second.error = 2, Killed()
    with pytest.raises(Killed):
        await bench.installer.install("i1")
    [row, _] = await bench.rows()
    assert (row.state, row.step, row.done, row.total) == ("running", "second", 2, 4)
    bench.second.error = None
    await bench.installer.install("i1")
    assert bench.log == ["first 0", "first 2", "second 0", "second 2"]
    assert (await bench.rows())[0].facts["second"] == [0, 2]


async def test_wrong_credentials_roll_back_every_step_the_last_one_first(bench: Bench) -> None:
    await bench.begin()
    bench.second.after, bench.second.error = 2, CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
    await bench.installer.install("i1")
    assert bench.log[-2:] == ["undo second", "undo first"]
    [row] = await bench.rows()
    assert (row.state, row.fault) == ("failed", "graph.forbidden")
    assert (row.facts["failed_step"], row.facts["fault_facts"]) == ("second", {"status": 403})
    assert (await read_integration(bench.database)).feature_version == 1


async def test_an_unexpected_error_fails_the_update(bench: Bench) -> None:
    await bench.begin()
    bench.first.error = ZeroDivisionError()
    await bench.installer.install("i1")
    [row] = await bench.rows()
    assert (row.state, row.fault) == ("failed", "unexpected")


async def test_after_a_kill_a_rollback_resumes(bench: Bench) -> None:
    await bench.begin()
    bench.second.error = CredentialsWrong(Fault.GRAPH_FORBIDDEN)
    undo, kills = bench.first.undo, [Killed()]

    async def killed_once(transaction: StepTransaction) -> None:
        if kills:
            raise kills.pop()
        await undo(transaction)

    bench.first.undo = killed_once  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await bench.installer.install("i1")
    assert await bench.states() == [(2, "rolling_back")]
    await bench.installer.install("i1")
    assert await bench.states() == [(2, "failed")]
    assert bench.log.count("undo second") == bench.log.count("undo first") == 1


async def test_an_unavailable_service_is_retried_until_the_timeout(bench: Bench) -> None:
    await bench.begin()
    bench.first.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, 20.0)
    await bench.installer.install("i1")
    assert (INSTALL, bench.clock() + timedelta(seconds=20)) in bench.jobs.asked
    assert await bench.states() == [(2, "running"), (3, "waiting")]
    bench.clock.advance(seconds=119)
    await bench.installer.install("i1")
    assert await bench.states() == [(2, "running"), (3, "waiting")]
    bench.clock.advance(seconds=2)
    await bench.installer.install("i1")
    assert await bench.states() == [(2, "failed")]


async def test_the_timeout_starts_again_after_a_stored_batch(bench: Bench) -> None:
    await bench.begin()
    for after in (0, 2):
        bench.first.after, bench.first.error = after, ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        await bench.installer.install("i1")
        bench.clock.advance(seconds=100)
    assert (await bench.rows())[0].state == "running"


async def test_two_processes_store_each_batch_once(bench: Bench) -> None:
    await bench.begin()
    seen = (await bench.rows())[0]
    await bench.installer.install("i1")
    await bench.installer._store_batch(seen, await bench.first.next_batch(integration(), {}, 0))
    assert bench.log.count("first 0") == 1


async def test_nothing_is_installed_on_an_integration_that_is_being_removed(bench: Bench) -> None:
    await bench.begin()
    async with bench.database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row is not None
        row.removing_since = bench.clock()
        session.add(row)
    await bench.installer.install("i1")
    assert bench.log == []


async def test_a_rollback_of_the_newest_update_offers_it_again(bench: Bench) -> None:
    await bench.begin()
    await bench.installer.install("i1")
    bench.clock.advance(days=1)
    assert await bench.updates.roll_back("t1", "i1", 3, ANA, CARD)
    await bench.installer.install("i1")
    assert await bench.states() == [(3, "undone")]
    offer = await bench.updates.offer("t1", "i1")
    assert ([update.version for update in offer.pending], offer.installed, offer.undoable) == ([3], 2, 2)


async def test_the_newest_installation_is_shown_after_one_that_a_clock_ahead_dated(bench: Bench) -> None:
    bench.clock.advance(days=1)
    await bench.begin(2)
    await bench.installer.install("i1")
    bench.clock.advance(days=-1)
    async with bench.database.writing() as session:
        await clock.set_back(session, bench.clock())
    bench.clock.advance(seconds=5)
    await bench.begin(3)
    assert await bench.states() == [(3, "waiting")]


async def test_cards_are_kept_until_they_show_the_end_of_the_installation(bench: Bench) -> None:
    await bench.begin()
    found = await bench.updates.cards_to_update("i1")
    assert found is not None
    assert (found[0].percent, found[1]) == (0, [CARD])
    await bench.updates.release_cards("i1", found[0])
    assert (await bench.rows())[0].cards
    await bench.installer.install("i1")
    found = await bench.updates.cards_to_update("i1")
    assert found is not None
    assert (found[0].percent, found[0].current.state) == (100, InstallationState.COMPLETED)
    async with bench.database.session() as session:
        assert await store.list_unfinished(session, bench.clock() - timedelta(hours=1))
    await bench.updates.release_cards("i1", found[0])
    async with bench.database.session() as session:
        assert await store.list_unfinished(session, bench.clock() - timedelta(hours=1)) == []
