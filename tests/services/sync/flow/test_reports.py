import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.queries import events as event_store
from storage.queries import integrations
from storage.queries.people import endpoints, people
from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, EndpointEvent, LineSnapshot
from sync.flow import pace
from sync.flow.aftermath import MATCH_AGAIN
from sync.flow.line_state import SETTLING, unknown_phone
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.people_rows import calls_by_person
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import (
    POSTGRESQL,
    empty_store,
    integration,
    person,
    read_integration,
    read_person,
    stored,
)
from tests.support.sync.flows import flow_of, webhook_of

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
        self.flow = flow_of(
            context_of(self.database, jobs=self.jobs, clock=self.clock, metrics=Metrics(self.registry))
        )

    async def apply(self, *events: CallEvent | EndpointEvent, name: str = "i1") -> bool:
        return await self.flow.store_events(webhook_of(name), events)

    async def apply_snapshots(self, *snapshots: LineSnapshot) -> None:
        await self.flow.apply_snapshots("i1", snapshots, self.clock())

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
        assert row.waiting_since == NOON
        assert (await read_integration(at.database)).last_change_at is None
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
        assert at.jobs.deferred == [("poll_now", "i1", NOON), ("match", "i1", NOON)]


async def test_a_person_with_a_new_extension_is_found_by_the_user_id(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(at_extension("new", call(CallState.CONNECTED, 1)))
        assert (await read_person(at.database)).desired == CALL
        assert at.jobs.now() == ["push"]


def at_extension(name: str, event: CallEvent, user_id: str | None = None, site_id: str = "") -> CallEvent:
    user = event.user_id if user_id is None else user_id
    return replace(event, extension=f"ext {name}", user_id=user, site_id=site_id)


async def test_where_user_and_extension_disagree_the_user_counts_and_the_directory_is_read_once(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, matched_at=NOON) as at:
        await at.apply(at_extension("p1", call(CallState.CONNECTED, 1, "p2")))
        assert [(await read_person(at.database, name)).desired for name in ("p1", "p2")] == [None, CALL]
        assert at.jobs.deferred == [("push", "i1", None), ("match", "i1", NOON)]
        at.jobs.deferred.clear()
        await at.apply(at_extension("p1", call(CallState.ENDED, 2, "p2")))
        assert at.jobs.deferred == [("push", "i1", None)]


async def test_a_call_that_was_taken_for_someone_elses_moves_to_its_person(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(at_extension("p1", call(CallState.CONNECTED, 1), user_id=""))
        assert (await read_person(at.database)).desired == CALL
        await at.apply(at_extension("p1", call(CallState.HELD, 2, "p2")))
        assert [(await read_person(at.database, name)).desired for name in ("p1", "p2")] == [None, CALL]


async def test_an_unknown_user_at_a_known_extension_is_nobody_and_the_directory_is_read(tmp_path: Path) -> None:
    async with bench(tmp_path, enabled=True) as at:
        await at.apply(at_extension("p1", call(CallState.CONNECTED, 1), user_id="someone new"))
        assert (await read_person(at.database)).desired is None
        assert at.counted("unknown_person") == 1
        assert at.jobs.deferred == [("match", "i1", NOON)]
        at.clock.advance(seconds=1)
        await at.apply(at_extension("p1", call(CallState.CONNECTED, 2), user_id="someone new"))
        assert at.jobs.deferred[1:] == [("match", "i1", NOON + MATCH_AGAIN)]


async def test_a_call_whose_person_gets_another_id_meanwhile_ends_with_its_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        await at.apply(at_extension("p1", call(CallState.HELD, 2), user_id="another id"))
        assert (await read_person(at.database)).desired == CALL
        await at.apply(at_extension("p1", call(CallState.ENDED, 3), user_id="another id"))
        assert (await read_person(at.database)).desired is None


async def test_one_extension_at_two_sites_is_two_phones_and_without_a_site_nobodys(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for name, site in (("lisbon", "Lisbon"), ("porto", "Porto")):
            await stored(at.database, person(name, extension="ext 7", site_id=site))
        await at.apply(at_extension("7", call(CallState.CONNECTED, 1), user_id="", site_id="Porto"))
        wanted = [(await read_person(at.database, name)).desired for name in ("lisbon", "porto")]
        assert wanted == [None, CALL]
        await at.apply(at_extension("7", call(CallState.CONNECTED, 2, call_id="d"), user_id=""))
        at.clock.advance(hours=1)
        await at.apply_snapshots(LineSnapshot("ext 7", "", "idle", True, (), 9))
        assert [(await read_person(at.database, name)).desired for name in ("lisbon", "porto")] == wanted
        assert (await read_person(at.database, "porto")).heard_at == NOON
        assert at.counted("ambiguous") == 1


async def test_a_poll_of_one_device_ends_no_call_on_another_and_an_unknown_device_is_forgotten(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        await at.apply(at_extension("softphone", call(CallState.CONNECTED, 1)))
        at.clock.advance(minutes=5)
        await at.apply_snapshots(idle("p1"))
        assert (await read_person(at.database)).desired == CALL
        async with at.database.session() as session:
            assert set(await people.extensions_to_poll(session, "i1")) == {"ext p1", "ext p2", "ext softphone"}
        await at.apply_snapshots(unknown_phone("ext softphone"), unknown_phone("ext p1"))
        row = await read_person(at.database)
        assert (row.desired, row.line) == (None, "offline")
        async with at.database.session() as session:
            assert set(await people.extensions_to_poll(session, "i1")) == {"ext p1", "ext p2"}
            assert (await calls_by_person(session, ["p1"]))["p1"] == []


def idle(name: str, user_id: str = "") -> LineSnapshot:
    return LineSnapshot(f"ext {name}", user_id, "idle", do_not_disturb=False, calls=(), at=0)


async def test_someone_whose_last_device_is_forgotten_has_no_calls(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, person("p3", extension=None))
        await at.apply(at_extension("softphone", call(CallState.CONNECTED, 1, "p3")))
        assert (await read_person(at.database, "p3")).desired == CALL
        at.clock.advance(minutes=1)
        await at.apply_snapshots(unknown_phone("ext softphone"))
        row = await read_person(at.database, "p3")
        assert (row.desired, row.line, row.due_at) == (None, "unknown", at.clock())


async def test_a_hot_desk_that_someone_else_uses_now_leaves_nothing_with_the_former(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(at_extension("desk", call(CallState.CONNECTED, 1)))
        at.clock.advance(minutes=5)
        talk = CallSnapshot("d", CallState.CONNECTED, "connected", conference=False, at=0)
        await at.apply_snapshots(replace(idle("desk", "cloudlink p2"), calls=(talk,)))
        assert [(await read_person(at.database, name)).desired for name in ("p1", "p2")] == [None, CALL]


async def test_a_doubtful_end_is_believed_and_the_phone_is_read(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        at.jobs.deferred.clear()
        await at.apply(replace(call(CallState.ENDED, 2), doubtful=True))
        assert (await read_person(at.database)).desired is None
        assert at.jobs.deferred == [("push", "i1", None), ("poll_now", "i1", NOON)]
        async with at.database.session() as session:
            assert await endpoints.to_poll_now(session, "i1", NOON, 9) == ["ext p1"]
        talk = CallSnapshot("c", CallState.CONNECTED, "connected", conference=False, at=0)
        await at.apply_snapshots(replace(idle("p1"), calls=(talk,)))
        assert (await read_person(at.database)).desired == CALL
        async with at.database.session() as session:
            assert await endpoints.to_poll_now(session, "i1", NOON, 9) == []


@pytest.mark.parametrize("seconds", [1, 600])
async def test_an_end_that_cloudlink_dates_before_the_call_is_checked_at_the_phone(
    tmp_path: Path, seconds: int
) -> None:
    """CloudLink's clock was set back during the call: also if it is checked before the call has settled."""
    async with bench(tmp_path) as at:
        begun = int(NOON.timestamp() * 1000)
        await at.apply(call(CallState.CONNECTED, begun))
        at.jobs.deferred.clear()
        at.clock.advance(seconds=seconds)
        await at.apply(call(CallState.ENDED, begun - 7_200_000))
        assert (await read_person(at.database)).desired == CALL
        assert at.counted("late") == 1
        assert at.jobs.deferred == [("poll_now", "i1", at.clock())]
        for _ in range(2):
            await at.apply_snapshots(replace(idle("p1"), at=begun - 7_200_000))
            at.clock.advance(seconds=5)
        assert (await read_person(at.database)).desired is None


async def test_a_poll_that_contradicts_what_was_just_heard_is_repeated_when_that_has_settled(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        at.jobs.deferred.clear()
        at.clock.advance(seconds=1)
        await at.apply_snapshots(idle("p1"))
        assert (await read_person(at.database)).desired == CALL
        settled = at.clock() + SETTLING
        assert at.jobs.deferred == [("poll_now", "i1", settled)]
        async with at.database.session() as session:
            assert await endpoints.next_poll(session, "i1") == settled
        at.clock.advance(seconds=5)
        await at.apply_snapshots(idle("p1"))
        assert (await read_person(at.database)).desired is None


async def test_a_phone_that_rings_when_the_call_beside_it_has_ended_shows_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.apply(call(CallState.CONNECTED, 1, call_id="a"), call(CallState.RINGING, 2, call_id="b"))
        assert (await read_person(at.database)).desired == CALL
        await at.apply(call(CallState.ENDED, 3, call_id="a"))
        row = await read_person(at.database)
        assert (row.desired, row.line) == (None, "ringing")


async def test_that_a_quiet_phone_was_heard_of_is_written_rarely(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        written = []
        for _ in range(12):
            await at.apply_snapshots(idle("p1"))
            written.append((await read_person(at.database)).heard_at)
            at.clock.advance(minutes=1)
        assert written[-1] == NOON + timedelta(minutes=10)
        assert len(set(written)) == 3


async def test_events_of_a_disabled_integration_are_stored_and_not_pushed(tmp_path: Path) -> None:
    async with bench(tmp_path, enabled=False) as at:
        await at.apply(call(CallState.CONNECTED, 1))
        row = await read_person(at.database)
        assert (row.desired, row.due_at, at.jobs.deferred) == (CALL, None, [])


async def test_a_late_report_of_what_was_over_before_a_pause_shows_nothing(
    tmp_path: Path,
) -> None:
    """The integration was disabled and enabled meanwhile; what is newer counts."""
    async with bench(tmp_path) as at:
        dnd = [EndpointEvent(f"d{n}", "ext p1", "cloudlink p1", n < 7, "idle", n) for n in (5, 6, 7)]
        await at.apply(call(CallState.CONNECTED, 5), call(CallState.ENDED, 7), dnd[0], dnd[2])
        await at.apply(call(CallState.CONNECTED, 6, call_id="live"))
        async with at.database.writing() as session:
            await people.clear_desired(session, "i1", "", NOON)
        await at.apply(
            call(CallState.CONNECTED, 6, event_id="late"), dnd[1], call(CallState.RINGING, 4, call_id="live")
        )
        assert (await read_person(at.database)).desired is None
        await at.apply(call(CallState.HELD, 9, call_id="live"))
        assert (await read_person(at.database)).desired == CALL


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
        assert not await at.apply(call(CallState.CONNECTED, 1), name="another")
        assert at.jobs.deferred == []


async def test_events_for_a_former_subscription_are_not_stored(tmp_path: Path) -> None:
    async with bench(tmp_path, subscription_id="newer") as at:
        assert not await at.apply(call(CallState.CONNECTED, 1))
        assert (await read_person(at.database)).line == "unknown"


async def test_events_of_many_integrations_are_stored_in_one_transaction(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2"), integration(id="i3", enabled=False))
        same = {"extension": "ext p1", "cloudlink_user_id": "cloudlink p1"}
        await stored(at.database, person("p3", integration_id="i2", **same))
        await stored(at.database, person("p4", integration_id="i3", **same))
        arrived = {
            "i1": [call(CallState.CONNECTED, 1)],
            "i2": [call(CallState.CONNECTED, 1), call(CallState.CONFERENCED, 2)],
            "i3": [call(CallState.CONNECTED, 1)],
            "gone": [call(CallState.CONNECTED, 1)],
        }
        with recorded_statements(at.database) as statements:
            stored_there = await asyncio.gather(*(at.apply(*some, name=name) for name, some in arrived.items()))
        assert stored_there == [True, True, True, False]
        lines = [(await read_person(at.database, name)).line for name in ("p1", "p2", "p3", "p4")]
        assert lines == ["on_call", "unknown", "in_conference", "on_call"]
        assert sorted(at.jobs.deferred) == [("push", "i1", None), ("push", "i2", None)]
        assert len(statements) <= 12


@pytest.mark.parametrize("each_database", [POSTGRESQL], indirect=True)
async def test_a_locked_integration_delays_no_other_and_is_stored_soon_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not tried again at the pace of ticks, at which two processes would meet each time."""
    monkeypatch.setattr(pace, "PACE", 3600.0)
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2"))
        await stored(at.database, person("p3", integration_id="i2"))
        await stored(at.database, integration(id="i3", client_id="another application"))
        await stored(at.database, person("p4", integration_id="i3"))
        async with at.database.writing() as session:
            await integrations.get_for_update(session, "i1")
            waiting = asyncio.create_task(at.apply(call(CallState.CONNECTED, 1)))
            assert await at.apply(call(CallState.CONNECTED, 1, "p4"), name="i3")
            assert (await read_person(at.database, "p4")).desired == CALL
            assert (await read_person(at.database)).desired is None
            assert not waiting.done()
        assert await waiting
        assert (await read_person(at.database)).desired == CALL
