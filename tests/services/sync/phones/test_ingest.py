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
class Desk:
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.ingestor = EventIngestor(
            context_of(self.database, jobs=self.jobs, clock=self.clock, metrics=Metrics(self.registry))
        )

    async def record(self, *events: CallEvent | EndpointEvent) -> None:
        await self.ingestor.record("i1", events)

    async def look(self, *snapshots: LineSnapshot) -> None:
        await self.ingestor.look("i1", snapshots, self.clock())

    def recorded_statements(self, verdict: str) -> float:
        return self.registry.get_sample_value("cloudlink_presence_events_total", {"verdict": verdict}) or 0


@asynccontextmanager
async def services(folder: Path, **values: object) -> AsyncIterator[Desk]:
    async with empty_store(folder) as database:
        await stored(database, integration(**values), person(), person("p2"))
        yield Desk(database)


async def test_an_event_becomes_desired_due_and_a_push(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.CONNECTED, 1))
        row = await read_person(at.database)
        assert (row.line, row.desired, row.desired_at, row.due_at) == ("on_call", CALL, NOON, NOON)
        assert (await read_integration(at.database)).last_change_at == NOON
        assert at.jobs.deferred == [("push", "i1", None)]
        assert (await read_person(at.database, "p2")).line == "unknown"


async def test_a_batch_is_taken_in_the_order_of_its_times(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.ENDED, 9), call(CallState.CONNECTED, 5), call(CallState.RINGING, 1))
        row = await read_person(at.database)
        assert (row.line, row.desired) == ("idle", None)
        assert at.jobs.deferred == []


async def test_doubles_are_dropped_within_a_batch_and_after_a_restart(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        event = call(CallState.CONNECTED, 1)
        await at.record(event, event)
        await Desk(at.database).record(event)
        assert (at.recorded_statements("taken"), at.recorded_statements("double")) == (1, 1)


async def test_late_unknown_and_strangers_events_change_nothing_and_are_counted(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.ENDED, 5))
        await at.record(
            call(CallState.CONNECTED, 4),
            call(None, 6),
            call(None, 7, call_id="d"),
            call(CallState.CONNECTED, 8, "x"),
        )
        assert [at.recorded_statements(verdict) for verdict in ("late", "unknown_state", "nobody")] == [1, 2, 1]
        async with at.database.session() as session:
            assert await event_store.list_unknown_states(session, "i1") == [("odd state", 2)]
        assert at.jobs.deferred == []


async def test_who_moved_to_another_extension_is_known_by_their_user_id(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(CallEvent("e", "ext new", "cloudlink p1", "c", CallState.CONNECTED, "connected", False, 1))
        assert (await read_person(at.database)).desired == CALL


async def test_a_disabled_integration_is_recorded_and_not_pushed(tmp_path: Path) -> None:
    async with services(tmp_path, enabled=False) as at:
        await at.record(call(CallState.CONNECTED, 1))
        row = await read_person(at.database)
        assert (row.desired, row.due_at, at.jobs.deferred) == (CALL, None, [])


async def test_a_refusal_is_forgotten_when_something_changes(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await stored(at.database, person("p3", refusal="404 gone", desired=CALL, line="on_call"))
        await at.record(call(CallState.CONFERENCED, 1, "p3"))
        row = await read_person(at.database, "p3")
        assert (row.refusal, row.due_at) == ("", NOON)


async def test_overlapping_calls_survive_a_restart_between_their_events(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.CONNECTED, 1, call_id="a"), call(CallState.CONNECTED, 2, call_id="b"))
        again = Desk(at.database)
        await again.record(call(CallState.ENDED, 3, call_id="a"))
        assert (await read_person(at.database)).desired == CALL
        await again.record(call(CallState.ENDED, 4, call_id="b"))
        assert (await read_person(at.database)).desired is None


async def test_a_poll_heals_what_webhooks_lost_and_counts_states_it_does_not_know(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.CONNECTED, 5))
        at.clock.advance(seconds=5)
        odd = CallSnapshot("z", None, "levitating", conference=False, at=6)
        await at.look(
            LineSnapshot("ext p1", "", "idle", do_not_disturb=False, calls=(), at=9),
            LineSnapshot("ext p2", "", "idle", do_not_disturb=True, calls=(odd,), at=9),
        )
        assert (await read_person(at.database)).desired is None
        assert (await read_person(at.database, "p2")).desired == "DoNotDisturb/Presenting"
        async with at.database.session() as session:
            assert await event_store.list_unknown_states(session, "i1") == [("levitating", 1)]


async def test_an_answer_older_than_an_event_does_not_undo_it(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.record(call(CallState.CONNECTED, 50), EndpointEvent("e", "ext p2", "", True, "idle", 50))
        for name in ("p1", "p2"):
            await at.look(LineSnapshot(f"ext {name}", "", "idle", do_not_disturb=False, calls=(), at=40))
        assert (await read_person(at.database)).desired == CALL
        assert (await read_person(at.database, "p2")).desired == "DoNotDisturb/Presenting"
        at.clock.advance(minutes=2)
        for name in ("p1", "p2"):
            await at.look(LineSnapshot(f"ext {name}", "", "idle", do_not_disturb=False, calls=(), at=40))
        assert (await read_person(at.database)).desired is None
        assert (await read_person(at.database, "p2")).desired is None
        assert at.clock() - NOON == timedelta(minutes=2)


async def test_events_for_an_integration_that_is_gone_are_dropped(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await at.ingestor.record("another", [call(CallState.CONNECTED, 1)])
        assert at.jobs.deferred == []


async def test_events_of_many_integrations_go_into_one_transaction_each_to_its_own_people(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
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
            assert await at.ingestor.record_all(arrived, waiting=False) == {"gone"}
        lines = [(await read_person(at.database, name)).line for name in ("p1", "p2", "p3", "p4")]
        assert lines == ["on_call", "unknown", "in_conference", "on_call"]
        assert sorted(at.jobs.deferred) == [("push", "i1", None), ("push", "i2", None)]
        assert len([each for each in statements if not each.startswith("BEGIN")]) <= 8


@pytest.mark.parametrize("each_database", [POSTGRESQL], indirect=True)
async def test_who_is_held_elsewhere_is_left_out_and_waited_for_on_request(tmp_path: Path) -> None:
    async with services(tmp_path) as at:
        await stored(at.database, integration(id="i2"))
        await stored(at.database, person("p3", integration_id="i2"))
        arrived = {"i1": [call(CallState.CONNECTED, 1)], "i2": [call(CallState.CONNECTED, 1, "p3")]}
        async with at.database.writing() as session:
            await integrations.get_for_update(session, "i1")
            assert await at.ingestor.record_all(arrived, waiting=False) == {"i1"}
            waiting = asyncio.create_task(at.ingestor.record_all(arrived, waiting=True))
            assert (await read_person(at.database, "p3")).desired == CALL
            assert (await read_person(at.database)).desired is None
        assert await waiting == set()
        assert (await read_person(at.database)).desired == CALL
        assert at.recorded_statements("double") == 1
