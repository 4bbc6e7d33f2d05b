"""How events, polls and outcomes become ticks, and what a tick sends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import CloudLinkPresenceError
from storage.database import Database, guarded
from storage.encryption import Encryption
from storage.queries.integrations import Subscribed
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Call, LineTime, Person
from storage.transaction import Transaction
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence, Request, SetPresence
from sync.domain.phone_events import CallEvent, CallState, LineSnapshot
from sync.domain.presence import Presence
from sync.flow import pace
from sync.flow.lanes import SHARE
from tests.support.clocks import NOON, FakeClock
from tests.support.eventually import eventually
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets
from tests.support.sync.flows import flow_of, webhook_of

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
SET, CLEAR = SetPresence("teams p1", Presence.IN_A_CALL, 14_400), ClearPresence("teams p1")


@dataclass
class Bench:
    database: Database
    jobs: FakeJobs = field(default_factory=lambda: FakeJobs(others=False))
    clients: FakeServiceClients = field(default_factory=FakeServiceClients)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        context = context_of(self.database, self.clients, self.jobs, self.clock)
        self.flow = flow_of(context, CredentialStore(ENCRYPTION))

    async def report(self, state: CallState, at: int, name: str = "p1", of: str = "i1") -> bool:
        event = CallEvent(f"e{at}", f"ext {name}", f"cloudlink {name}", "c", state, "", False, at)
        return await self.flow.store_events(webhook_of(of), [event])

    async def wait_until_sent(self, *expected: Request) -> None:
        await eventually(lambda: self.clients.graph.sent == list(expected))


@asynccontextmanager
async def bench(folder: Path, app: str = "", jobs: FakeJobs | None = None) -> AsyncIterator[Bench]:
    """Two integrations: of one person each, or with the same ``app`` and the same Teams user."""
    async with empty_store(folder) as database:
        for name, who in (("i1", "p1"), ("i2", "p2")):
            row = integration(id=name, client_id=app or f"app of {name}")
            await stored(database, with_secrets(row, ENCRYPTION, client_secret_sealed="secret"))
            teams_user = "teams p1" if app else f"teams {who}"
            await stored(database, person(who, integration_id=name, teams_user_id=teams_user))
        at = Bench(database, jobs or FakeJobs(others=False))
        async with at.flow.running():
            yield at


async def test_a_change_is_sent_after_its_event_is_stored_without_a_job(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.report(CallState.CONNECTED, 1)
        await at.wait_until_sent(SET)
        await at.flow.push("i1")
        assert await applied(at.database) == Presence.IN_A_CALL
        assert at.jobs.deferred == []


async def applied(database: Database) -> str | None:
    return (await read_person(database)).applied


async def test_where_others_run_jobs_too_the_change_is_handed_over(tmp_path: Path) -> None:
    async with bench(tmp_path, jobs=FakeJobs()) as at:
        await at.report(CallState.CONNECTED, 1)
        assert at.jobs.deferred == [("push", "i1", None)]
        assert at.clients.graph.sent == []
        await at.flow.push("i1")
        assert at.clients.graph.sent == [SET]


async def test_what_changes_while_a_change_is_being_sent_is_sent_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:

        async def hang_up() -> None:
            at.clients.graph.during_push = None
            await at.report(CallState.ENDED, 2)
            assert len(at.clients.graph.pushed) == 1

        at.clients.graph.during_push = hang_up
        await at.report(CallState.CONNECTED, 1)
        await at.wait_until_sent(SET, CLEAR)
        await at.flow.push("i1")
        assert await applied(at.database) is None


async def test_a_push_ends_when_what_it_found_under_way_has_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        answer = asyncio.Event()
        at.clients.graph.during_push = answer.wait
        await at.report(CallState.CONNECTED, 1)
        await eventually(lambda: bool(at.clients.graph.sent))
        pushing = asyncio.create_task(at.flow.push("i1"))
        assert await at.report(CallState.CONNECTED, 2, "p2", "i2")
        assert not pushing.done()
        answer.set()
        await pushing
        assert await applied(at.database) == Presence.IN_A_CALL
        assert [change for change in at.clients.graph.sent if change.user_id == "teams p1"] == [SET]


async def test_events_that_arrive_while_a_tick_is_stored_are_the_next_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        with recorded_statements(at.database) as statements:
            first = asyncio.create_task(at.report(CallState.ORIGINATED, 1))
            await eventually(lambda: bool(statements))
            await asyncio.gather(*(at.report(CallState.RINGING, number) for number in range(2, 30)))
            await first
        assert len([each for each in statements if "INSERT INTO seenevent" in each]) == 2


async def give_to_another(database: Database, name: str = "i2") -> Subscribed:
    """Have the integration belong to another tenant; returns its webhook."""
    async with database.writing() as session:
        (await session.get_one(Integration, name)).owner_tenant = "quiet"
    return replace(webhook_of(name), owner_tenant="quiet")


TALKING = CallEvent("e3", "ext p2", "cloudlink p2", "c", CallState.CONNECTED, "", False, 3)


async def test_a_flood_of_one_tenant_delays_no_other_however_many_integrations_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PACE", 0.0)
    names = ("i1", "i3", "i4")
    async with bench(tmp_path) as at:
        for name in names[1:]:
            row = integration(id=name, client_id=f"app of {name}")
            await stored(at.database, with_secrets(row, ENCRYPTION, client_secret_sealed="secret"))
        theirs = await give_to_another(at.database)
        assert all([await at.report(CallState.RINGING, 0, of=name) for name in names])
        flood = [
            asyncio.create_task(at.report(CallState.RINGING, number, of=name))
            for name in names
            for number in range(1, SHARE)
        ]
        await asyncio.sleep(0)
        assert await at.flow.store_events(theirs, [TALKING])
        assert sum(each.done() for each in flood) <= SHARE
        assert all(await asyncio.gather(*flood))


async def test_a_tick_that_waits_for_a_locked_row_holds_up_its_own_tenant_only(tmp_path: Path) -> None:
    """On PostgreSQL. On SQLite no row is locked, there is one writer."""
    async with bench(tmp_path) as at:
        theirs = await give_to_another(at.database)
        if at.database.is_sqlite:
            return
        async with at.database.writing() as session:
            await session.exec(select(Person).where(Person.id == "p1").with_for_update())
            with recorded_statements(at.database) as statements:
                waiting = asyncio.create_task(at.report(CallState.CONNECTED, 1))
                await eventually(lambda: bool(statements))
            async with asyncio.timeout(30):
                assert await at.flow.store_events(theirs, [TALKING])
            assert not waiting.done()
        assert await waiting


async def test_an_integration_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        unreadable = Call(person_id="p1", extension="ext p1", call_id="c", state="odd", at=1, heard_at=NOON)
        await stored(at.database, unreadable)
        outcomes = await asyncio.gather(
            at.report(CallState.CONNECTED, 1),
            at.report(CallState.CONNECTED, 1, "p2", "i2"),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], ValueError)
        assert outcomes[1] is True
        assert [(await read_person(at.database, name)).line for name in ("p1", "p2")] == ["unknown", "on_call"]


async def test_the_job_fails_only_once_what_is_being_sent_is_answered_and_stored(tmp_path: Path) -> None:
    """Else another process would run it again, and send for the same people, meanwhile."""
    answer = asyncio.Event()
    async with bench(tmp_path, jobs=FakeJobs()) as at:
        await stored(at.database, person("p3"))
        unreadable = Call(person_id="p3", extension="ext p3", call_id="c", state="odd", at=1, heard_at=NOON)
        await stored(at.database, unreadable)
        at.clients.graph.during_push = answer.wait
        await at.report(CallState.CONNECTED, 1)
        pushing = asyncio.create_task(at.flow.push("i1"))
        await at.wait_until_sent(SET)
        with pytest.raises(ValueError):
            await at.report(CallState.CONNECTED, 2, "p3")
        await asyncio.sleep(0)
        assert not pushing.done()
        answer.set()
        with pytest.raises(ValueError):
            await pushing
        assert await applied(at.database) == Presence.IN_A_CALL


async def test_what_was_being_sent_when_the_process_died_is_sent_by_the_next(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.during_push = asyncio.Event().wait
        await at.report(CallState.CONNECTED, 1)
        await eventually(lambda: bool(at.clients.graph.sent))
        another = Bench(at.database)
        await another.flow.push("i1")
        assert another.clients.graph.sent == [SET]
        assert await applied(at.database) == Presence.IN_A_CALL
        at.clients.graph.during_push = None


@pytest.mark.parametrize("turn", [60.0, 0.0])
async def test_a_job_sends_what_others_store_meanwhile_until_its_turn_ends(
    tmp_path: Path, turn: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.flow.flow.TURN", turn)
    async with bench(tmp_path, jobs=FakeJobs()) as at:
        another, sent = Bench(at.database, FakeJobs()), [SET, replace(SET, user_id="teams p3")]
        await stored(at.database, person("p3", teams_user_id="teams p3"))

        async def begin_another() -> None:
            at.clients.graph.during_push = None
            await another.report(CallState.CONNECTED, 2, "p3")

        await another.report(CallState.CONNECTED, 1)
        at.clients.graph.during_push = begin_another
        await at.flow.push("i1")
        assert at.clients.graph.sent == sent[: 2 if turn else 1]
        await at.flow.push("i1")
        assert at.clients.graph.sent == sent


async def test_a_process_that_was_taken_for_dead_stores_no_outcome_and_sends_no_more(tmp_path: Path) -> None:
    """Another runs its job by now, and has sent the same people again: only that one knows what came of it."""
    answer, jobs = asyncio.Event(), FakeJobs()
    async with bench(tmp_path, jobs=jobs) as at:
        at.clients.graph.during_push = answer.wait
        await at.report(CallState.CONNECTED, 1)
        pushing = asyncio.create_task(at.flow.push("i1"))
        await at.wait_until_sent(SET)
        jobs.taken_over = {"i1"}
        answer.set()
        await pushing
        assert await applied(at.database) == UNSURE
        await at.flow.push("i1")
        assert at.clients.graph.sent == [SET]
        jobs.taken_over = set()
        await at.flow.push("i1")
        assert at.clients.graph.sent == [SET, SET]
        assert await applied(at.database) == Presence.IN_A_CALL


async def test_a_change_is_sent_although_it_was_stored_by_a_process_whose_clock_is_ahead(tmp_path: Path) -> None:
    async with bench(tmp_path, jobs=FakeJobs()) as at:
        ahead = Bench(at.database, FakeJobs(), clock=FakeClock(NOON + timedelta(seconds=5)))
        async with ahead.flow.running():
            await ahead.report(CallState.CONNECTED, 1)
        await at.flow.push("i1")
        assert at.clients.graph.sent == [SET]


class HangingClock(FakeClock):
    """Of a process that hangs for ten seconds when a tick is stored, before its requests are sent."""

    def __call__(self) -> datetime:
        is_in_tick = threading.current_thread() is not threading.main_thread()
        return self.now if is_in_tick else self.now + timedelta(seconds=10)


class SoonTakenOver(FakeJobs):
    """What another process takes over after the first tick of the job."""

    def __init__(self, keys: set[str]) -> None:
        super().__init__()
        self.keys = keys

    def held(self, transaction: Transaction, job: str, keys: Iterable[str]) -> set[str]:
        found = super().held(transaction, job, keys)
        self.taken_over = self.keys if found else self.taken_over
        return found


@pytest.mark.parametrize(("taken_over", "sent"), [(set(), [SET]), ({"i1"}, [])])
async def test_a_process_that_hung_sends_what_it_chose_before_only_if_it_was_not_taken_for_dead(
    tmp_path: Path, taken_over: set[str], sent: list[Request]
) -> None:
    """Another has sent something newer by then, which would be overwritten in Teams."""
    async with bench(tmp_path) as at:
        hung = Bench(at.database, SoonTakenOver(taken_over), clock=HangingClock())
        async with hung.flow.running():
            await hung.report(CallState.CONNECTED, 1)
            await hung.flow.push("i1")
            assert hung.clients.graph.sent == sent


class Withdrawn(CloudLinkPresenceError):
    """The person may not write any more."""


async def test_a_poll_for_a_person_who_may_not_write_any_more_is_not_stored(tmp_path: Path) -> None:
    async def refuse(_session: AsyncSession) -> None:
        raise Withdrawn

    busy: Sequence[LineSnapshot] = [LineSnapshot("ext p1", "", "idle", do_not_disturb=True, calls=(), at=1)]
    async with bench(tmp_path) as at:
        with guarded(refuse), pytest.raises(Withdrawn):
            await at.flow.apply_snapshots("i1", busy, NOON)
        assert (await read_person(at.database)).line == "unknown"


CONFERENCE = SetPresence("teams p1", Presence.IN_A_CONFERENCE_CALL, 14_400)


@pytest.mark.parametrize(
    ("in_flight", "sent"), [(CallState.CONNECTED, [SET]), (CallState.ENDED, [SET, CLEAR])], ids=["weaker", "clear"]
)
async def test_what_another_integration_wished_meanwhile_is_sent_again(
    tmp_path: Path, in_flight: CallState, sent: list[Request]
) -> None:
    """Two share a session: which of two requests under way reaches Graph last, nobody knows."""
    answer = asyncio.Event()
    async with bench(tmp_path, "shared") as at:
        if in_flight is CallState.ENDED:
            await at.report(CallState.CONNECTED, 1)
            await at.flow.push("i1")
        at.clients.graph.during_push = answer.wait
        await at.report(in_flight, 2)
        await at.wait_until_sent(*sent)
        at.clients.graph.during_push = None
        await at.report(CallState.CONFERENCED, 3, "p2", "i2")
        await at.flow.push("i2")
        answer.set()
        await at.wait_until_sent(*sent, CONFERENCE, CONFERENCE)
        await asyncio.gather(at.flow.push("i1"), at.flow.push("i2"))
        assert at.clients.graph.sent == [*sent, CONFERENCE, CONFERENCE]


async def test_of_a_former_webhook_nothing_is_stored_beside_the_newest(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        event = CallEvent("e1", "ext p1", "cloudlink p1", "c", CallState.CONNECTED, "", False, 1)
        former = replace(webhook_of(), token_hash="of a former token")
        ended = replace(event, state=CallState.ENDED, event_id="e2", at=2)
        arriving = (at.flow.store_events(former, [ended]), at.flow.store_events(webhook_of(), [event]))
        assert list(await asyncio.gather(*arriving)) == [False, True]
        assert (await read_person(at.database)).line == "on_call"


async def test_a_tenant_waits_for_its_own_pace_and_not_for_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PACE", 3600.0)
    async with bench(tmp_path) as at:
        theirs = await give_to_another(at.database)
        assert await at.report(CallState.RINGING, 1)
        waiting = asyncio.create_task(at.report(CallState.CONNECTED, 2))
        assert await at.flow.store_events(theirs, [TALKING])
        assert not waiting.done()
    assert await waiting


async def test_for_how_long_a_line_was_in_a_state_is_added_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for number in range(2):
            await at.report(CallState.CONNECTED, 2 * number + 1)
            at.clock.now += timedelta(minutes=20)
            await at.report(CallState.ENDED, 2 * number + 2)
        async with at.database.session() as session:
            (row,) = (await session.exec(select(LineTime))).all()
        assert (row.person_id, row.day, row.state, row.seconds) == ("p1", "2026-11-23", "on_call", 2400)
