import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.queries import events as event_store
from storage.queries import integrations
from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, EndpointEvent, LineSnapshot
from sync.phones.ingest import EventIngestor
from tests.support.clocks import NOON, FakeClock
from tests.support.fake_services import FakeJobs, context_of
from tests.support.statements import recorded_statements
from tests.support.stores import POSTGRESQL, empty_store, integration, person, read_integration, read_person, stored

pytestmark = pytest.mark.usefixtures("each_database")

CALL = "Busy/InACall"


def call(state: CallState | None, at: int, name: str = "p1", event_id: str = "", call_id: str = "c") -> CallEvent:
    return CallEvent(
        event_id or f"e{at}", f"ext {name}", f"cloudlink {name}", call_id, state, "odd\n state", False, at
    )


@dataclass
class Bench:
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.ingestor = EventIngestor(
            context_of(self.database, jobs=self.jobs, clock=self.clock, metrics=Metrics(self.registry))
        )

    async def apply(self, *events: CallEvent | EndpointEvent) -> None:
        await self.ingestor.apply_events({"i1": events}, waiting=True)

    async def apply_snapshots(self, *snapshots: LineSnapshot) -> None:
        await self.ingestor.apply_snapshots("i1", snapshots, self.clock())

    def counted(self, verdict: str) -> float:
        return self.registry.get_sample_value("cloudlink_presence_events_total", {"verdict": verdict}) or 0


@asynccontextmanager
async def bench(folder: Path, **values: object) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        await stored(database, integration(**values), person(), person("p2"))
        yield Bench(database)


async def test_an_event_sets_the_desired_presence_and_queues_a_push(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        row = await read_person(at.database)
        assert (row.line, row.desired, row.desired_at, row.due_at) == ("on_call", CALL, NOON, NOON)
        assert (await read_integration(at.database)).last_change_at == NOON
        assert at.jobs.deferred == [("push", "i1", None)]
        assert (await read_person(at.database, "p2")).line == "unknown"


async def test_a_batch_is_applied_in_the_order_of_its_timestamps(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.ENDED, 9), call(CallState.CONNECTED, 5), call(CallState.RINGING, 1))
        row = await read_person(at.database)
        assert (row.line, row.desired) == ("idle", None)
        assert at.jobs.deferred == []


async def test_duplicates_are_dropped_within_a_batch_and_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        event = call(CallState.CONNECTED, 1)
        await at.apply(event, event)
        await Bench(at.database).apply(event)
        assert (at.counted("applied"), at.counted("duplicate")) == (1, 1)


async def test_late_and_unknown_events_and_those_of_unknown_people_change_nothing_and_are_counted(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.ENDED, 5))
        await at.apply(
            call(CallState.CONNECTED, 4),
            call(None, 6),
            call(None, 7, call_id="d"),
            call(CallState.CONNECTED, 8, "x"),
        )
        assert [at.counted(verdict) for verdict in ("late", "unknown_state", "unknown_person")] == [1, 2, 1]
        async with at.database.session() as session:
            assert await event_store.list_unknown_states(session, "i1") == [("odd state", 2)]
        assert at.jobs.deferred == []


async def test_a_person_with_a_new_extension_is_found_by_the_user_id(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(CallEvent("e", "ext new", "cloudlink p1", "c", CallState.CONNECTED, "connected", False, 1))
        assert (await read_person(at.database)).desired == CALL


async def test_events_of_a_disabled_integration_are_stored_and_not_pushed(tmp_path: Path) -> None:
    async with bench(tmp_path, enabled=False) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        row = await read_person(at.database)
        assert (row.desired, row.due_at, at.jobs.deferred) == (CALL, None, [])


async def test_a_change_does_not_forget_a_refusal(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, person("p3", refusal="404 gone", desired=CALL, line="on_call"))
        await at.apply(call(CallState.CONFERENCED, 1, "p3"))
        row = await read_person(at.database, "p3")
        assert (row.refusal, row.due_at) == ("404 gone", NOON)


async def test_overlapping_calls_survive_a_restart_between_their_events(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1, call_id="a"), call(CallState.CONNECTED, 2, call_id="b"))
        again = Bench(at.database)
        await again.apply(call(CallState.ENDED, 3, call_id="a"))
        assert (await read_person(at.database)).desired == CALL
        await again.apply(call(CallState.ENDED, 4, call_id="b"))
        assert (await read_person(at.database)).desired is None


async def test_a_snapshot_corrects_lost_events_and_counts_unknown_states(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 5))
        at.clock.advance(seconds=5)
        odd = CallSnapshot("z", None, "levitating", conference=False, at=6)
        await at.apply_snapshots(
            LineSnapshot("ext p1", "", "idle", do_not_disturb=False, calls=(), at=9),
            LineSnapshot("ext p2", "", "idle", do_not_disturb=True, calls=(odd,), at=9),
        )
        assert (await read_person(at.database)).desired is None
        assert (await read_person(at.database, "p2")).desired == "DoNotDisturb/Presenting"
        async with at.database.session() as session:
            assert await event_store.list_unknown_states(session, "i1") == [("levitating", 1)]


async def test_a_snapshot_older_than_an_event_does_not_undo_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 50), EndpointEvent("e", "ext p2", "", True, "idle", 50))
        for name in ("p1", "p2"):
            await at.apply_snapshots(LineSnapshot(f"ext {name}", "", "idle", do_not_disturb=False, calls=(), at=40))
        assert (await read_person(at.database)).desired == CALL
        assert (await read_person(at.database, "p2")).desired == "DoNotDisturb/Presenting"
        at.clock.advance(minutes=2)
        for name in ("p1", "p2"):
            await at.apply_snapshots(LineSnapshot(f"ext {name}", "", "idle", do_not_disturb=False, calls=(), at=40))
        assert (await read_person(at.database)).desired is None
        assert (await read_person(at.database, "p2")).desired is None
        assert at.clock() - NOON == timedelta(minutes=2)


async def test_events_for_a_removed_integration_are_dropped(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.ingestor.apply_events({"another": [call(CallState.CONNECTED, 1)]}, waiting=True)
        assert at.jobs.deferred == []


async def test_events_of_many_integrations_are_stored_in_one_transaction(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2"), integration(id="i3", enabled=False))
        await stored(at.database, person("p3", integration_id="i2", extension="ext p1"))
        await stored(at.database, person("p4", integration_id="i3", extension="ext p1"))
        arrived = {
            "i1": [call(CallState.CONNECTED, 1)],
            "i2": [call(CallState.CONNECTED, 1), call(CallState.CONFERENCED, 2)],
            "i3": [call(CallState.CONNECTED, 1)],
            "gone": [call(CallState.CONNECTED, 1)],
        }
        with recorded_statements(at.database) as statements:
            assert await at.ingestor.apply_events(arrived, waiting=False) == {"gone"}
        lines = [(await read_person(at.database, name)).line for name in ("p1", "p2", "p3", "p4")]
        assert lines == ["on_call", "unknown", "in_conference", "on_call"]
        assert sorted(at.jobs.deferred) == [("push", "i1", None), ("push", "i2", None)]
        assert len([each for each in statements if not each.startswith("BEGIN")]) <= 8


@pytest.mark.parametrize("each_database", [POSTGRESQL], indirect=True)
async def test_a_locked_integration_is_left_out_or_waited_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2"))
        await stored(at.database, person("p3", integration_id="i2"))
        arrived = {"i1": [call(CallState.CONNECTED, 1)], "i2": [call(CallState.CONNECTED, 1, "p3")]}
        async with at.database.writing() as session:
            await integrations.get_for_update(session, "i1")
            assert await at.ingestor.apply_events(arrived, waiting=False) == {"i1"}
            waiting = asyncio.create_task(at.ingestor.apply_events(arrived, waiting=True))
            assert (await read_person(at.database, "p3")).desired == CALL
            assert (await read_person(at.database)).desired is None
        assert await waiting == set()
        assert (await read_person(at.database)).desired == CALL
        assert at.counted("duplicate") == 1
