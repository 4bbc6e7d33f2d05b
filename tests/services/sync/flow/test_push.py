import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations
from storage.queries.health import problems
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Person
from storage.tables.rotations import Rotation
from sync.credentials.rotator import Rotator
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.changes import ClearPresence, Done, Failed, Outcome, Refused, Request, SetPresence, Throttled
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import CredentialKind
from sync.domain.presence import Presence
from sync.presence.delays import Delays
from sync.presence.hours import counted
from sync.teams.quota import LONGEST_BLOCK
from tests.support.captured_log import captured_log
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.statements import recorded_statements
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

CALL = Presence.IN_A_CALL
ENCRYPTION = Encryption([Fernet.generate_key().decode()])
SECRET = "the client's secret"


def calling(name: str = "p1", **values: Any) -> Person:
    return person(name, **{"desired": CALL.value, "desired_at": NOON, "due_at": NOON, **values})


def changed_by_phone(name: str = "p1", **values: Any) -> Person:
    return calling(name, waiting_since=NOON, **values)


def shown(name: str = "p1", **values: Any) -> Person:
    given = {
        "applied": CALL.value,
        "applied_user_id": f"teams {name}",
        "applied_at": NOON,
        "applied_until": NOON + timedelta(hours=4),
    }
    return calling(name, **{**given, **values})


@dataclass
class Bench:
    database: Database
    quota: int = 1500
    clock: FakeClock = field(default_factory=FakeClock)
    clients: FakeServiceClients = field(default_factory=FakeServiceClients)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        metrics = Metrics(self.registry)
        context = context_of(self.database, self.clients, self.jobs, self.clock, metrics)
        self.delays = Delays(self.database, self.clock)
        self.flow = flow_of(context, CredentialStore(ENCRYPTION), self.quota, self.delays)

    async def push(self) -> list[Request]:
        """Run the job; returns the requests that it sent."""
        before = len(self.clients.graph.sent)
        await self.flow.push("i1")
        return self.clients.graph.sent[before:]

    def delays_seen(self) -> tuple[float, float]:
        """How many changes were measured, and the sum of their seconds."""
        name = "cloudlink_presence_latency_seconds"
        count, total = (self.registry.get_sample_value(f"{name}_{each}") for each in ("count", "sum"))
        return count or 0, total or 0

    async def edit(self, name: str, **values: Any) -> None:
        async with self.database.writing() as session:
            row = await session.get_one(Person, name)
            for each, value in values.items():
                setattr(row, each, value)

    async def sleep(self) -> None:
        """The machine sleeps, and an event that waited for it arrives when it wakes, before an answer that did."""
        self.clients.graph.during_push = None
        self.clock.advance(minutes=50)
        await self.edit("p1", heard_at=self.clock())

    async def faults(self) -> list[str]:
        async with self.database.session() as session:
            return [problem.fault for problem in await problems.list_open(session, "i1")]


@asynccontextmanager
async def bench(folder: Path, *people: Person, quota: int = 1500, **values: Any) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        row = with_secrets(integration(**values), ENCRYPTION, client_secret_sealed=SECRET)
        await stored(database, row, *people)
        yield Bench(database, quota)


def only(user_id: str, outcome: Outcome) -> Any:
    def answer(change: Request) -> Outcome:
        return outcome if change.user_id == user_id else Done()

    return answer


async def test_a_difference_is_sent_once_and_stored_as_applied(tmp_path: Path) -> None:
    async with bench(tmp_path, changed_by_phone()) as at:
        at.clock.advance(seconds=2)
        assert await at.push() == [SetPresence("teams p1", CALL, 14_400)]
        row = await read_person(at.database)
        assert (row.applied, row.applied_user_id) == (CALL, "teams p1")
        assert row.applied_until == at.clock() + timedelta(hours=4)
        assert row.due_at == NOON + timedelta(hours=1)
        assert await at.push() == []
        assert at.delays_seen() == (1, 2)
        assert (await read_integration(at.database)).last_change_at == NOON + timedelta(seconds=2)


async def test_the_delay_is_of_what_a_phone_changed_and_its_retries_not_of_what_an_administrator_did(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, changed_by_phone(excluded=True)) as at:
        await at.push()
        at.clock.advance(minutes=5)
        await at.edit("p1", excluded=False, due_at=at.clock())
        assert [change.user_id for change in await at.push()] == ["teams p1"]
        assert at.delays_seen() == (0, 0)
        assert (await read_integration(at.database)).last_change_at == at.clock()
        await at.edit("p1", desired=None, waiting_since=at.clock(), due_at=at.clock())
        sent_at = at.clock()
        at.clients.graph.answer = lambda change: Throttled(3)
        await at.push()
        at.clients.graph.answer = lambda change: Done()
        at.clock.advance(seconds=3)
        assert (await read_integration(at.database)).last_change_at == sent_at
        await at.push()
        assert at.delays_seen() == (1, 3)
        assert (await read_integration(at.database)).last_change_at == at.clock()


@pytest.mark.parametrize("outcome", [Refused(404, "NotFound"), Done()])
async def test_once_answered_what_is_sent_again_is_no_change_of_the_phone(tmp_path: Path, outcome: Outcome) -> None:
    async with bench(tmp_path, changed_by_phone()) as at:
        at.clients.graph.answer = lambda change: outcome
        await at.push()
        assert (await read_person(at.database)).waiting_since is None


async def test_calls_shown_and_refusals_are_counted_by_the_hour(tmp_path: Path) -> None:
    talking, dnd = changed_by_phone("talking", line="on_call"), calling("dnd", line="do_not_disturb")
    longer = shown("longer", line="on_call", desired=Presence.IN_A_CONFERENCE_CALL)
    async with bench(tmp_path, talking, dnd, longer, calling("out", line="on_call")) as at:
        at.clients.graph.answer = only("teams out", Refused(403, "Forbidden"))
        await at.push()
        await at.delays.flush()
        async with at.database.session() as session:
            (hour,) = (await counted(session, "i1", NOON, at.clock() + timedelta(hours=1))).hours()
        assert (hour.shown, hour.refused, hour.overruled) == (1, 1, 0)
        assert hour.p95 is not None


RINGS_AS: dict[str, dict[str, Any]] = {
    "something else": {"mapping": {"ringing": "DoNotDisturb/Presenting"}},
    "a call": {"mapping": {"ringing": "Busy/InACall"}},
}


@pytest.mark.parametrize("integration_values", RINGS_AS.values(), ids=RINGS_AS)
async def test_a_call_is_counted_once_where_ringing_is_shown_too(
    tmp_path: Path, integration_values: dict[str, Any]
) -> None:
    rings = Presence(integration_values["mapping"]["ringing"])
    async with bench(tmp_path, changed_by_phone(line="ringing", desired=rings), **integration_values) as at:
        await at.push()
        await at.edit("p1", line="on_call", desired=Presence.IN_A_CALL, due_at=at.clock())
        await at.push()
        await at.edit("p1", line="in_conference", desired=Presence.IN_A_CONFERENCE_CALL, due_at=at.clock())
        await at.push()
        await at.delays.flush()
        async with at.database.session() as session:
            (hour,) = (await counted(session, "i1", NOON, at.clock() + timedelta(hours=1))).hours()
        assert hour.shown == 1


async def test_state_changes_go_in_batches_of_twenty_before_renewals(tmp_path: Path) -> None:
    half_over = {"applied_at": NOON - timedelta(hours=3), "applied_until": NOON + timedelta(hours=1)}
    renewals = [shown(f"r{n:02}", **half_over) for n in range(30)]
    changes = [calling(f"c{n:02}") for n in range(60)]
    async with bench(tmp_path, *renewals, *changes) as at:
        await at.push()
        assert all(len(batch) <= 20 for batch in at.clients.graph.pushed)
        first = {change.user_id for change in at.clients.graph.sent[:60]}
        assert first == {f"teams c{n:02}" for n in range(60)}
        assert len(at.clients.graph.sent) == 90


async def test_while_a_request_is_being_sent_the_applied_presence_is_unsure(tmp_path: Path) -> None:
    seen: list[tuple[str | None, Any]] = []
    async with bench(tmp_path, calling()) as at:

        async def read() -> None:
            row = await read_person(at.database)
            seen.append((row.applied, row.applied_until))

        at.clients.graph.during_push = read
        await at.push()
        assert seen == [(UNSURE, NOON + timedelta(hours=4, minutes=1))]


async def test_a_change_during_a_round_is_sent_in_the_next(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:

        async def hang_up() -> None:
            at.clients.graph.during_push = None
            async with at.database.writing() as session:
                row = await session.get(Person, "p1")
                assert row
                row.desired, row.due_at = None, NOON

        at.clients.graph.during_push = hang_up
        assert await at.push() == [SetPresence("teams p1", CALL, 14_400), ClearPresence("teams p1")]
        assert (await read_person(at.database)).applied is None


async def test_only_the_throttled_request_is_sent_again_after_retry_after(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("a"), calling("b")) as at:
        at.clients.graph.answer = only("teams b", Throttled(7))
        await at.push()
        row = await read_person(at.database, "b")
        assert (row.applied, row.due_at) == (None, NOON + timedelta(seconds=7))
        assert await at.faults() == []
        async with at.database.writing() as session:
            early = await session.get(Person, "b")
            assert early
            early.due_at = NOON
        at.clock.advance(seconds=6)
        assert await at.push() == []
        assert at.jobs.deferred[-1] == ("push", "i1", NOON + timedelta(seconds=7))
        at.clock.advance(seconds=1)
        at.clients.graph.answer = only("", Throttled(1))
        assert await at.push() == [SetPresence("teams b", CALL, 14_400)]


async def test_a_refused_person_is_tried_again_later(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("a"), calling("b")) as at:
        at.clients.graph.answer = only("teams b", Refused(404, "NotFound"))
        await at.push()
        row = await read_person(at.database, "b")
        assert (row.refusal, row.due_at, row.applied) == ("404 NotFound", NOON + timedelta(seconds=5), None)
        assert await at.faults() == []
        at.clock.advance(seconds=5)
        at.clients.graph.answer = only("", Throttled(1))
        assert await at.push() == [SetPresence("teams b", CALL, 14_400)]
        assert (await read_person(at.database, "b")).refusal == ""


async def test_what_was_refused_before_the_machine_slept_is_tried_again_when_it_wakes(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:
        at.clients.graph.answer = only("teams p1", Refused(403, "Forbidden"))
        await at.push()
        at.clock.advance(seconds=5)
        at.clients.graph.during_push = at.sleep
        assert await at.push() == [SetPresence("teams p1", CALL, 14_400)] * 2


async def test_a_session_that_began_before_the_machine_slept_is_renewed_in_time(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:
        at.clients.graph.during_push = at.sleep
        assert len(await at.push()) == 1
        at.clock.advance(minutes=120)
        await at.edit("p1", heard_at=at.clock(), due_at=at.clock())
        assert await at.push() == [SetPresence("teams p1", CALL, 14_400)]


async def test_a_refused_clear_is_tried_again_until_the_session_has_ended(tmp_path: Path) -> None:
    async with bench(tmp_path, shown(desired=None)) as at:
        at.clients.graph.answer = only("teams p1", Refused(400, "BadRequest"))
        assert len(await at.push()) == 1
        row = await read_person(at.database)
        assert (row.applied, row.due_at) == (UNSURE, NOON + timedelta(seconds=5))
        at.clock.advance(hours=4)
        assert await at.push() == []
        assert (await read_person(at.database)).applied is None


async def test_an_unavailable_service_opens_a_problem_and_delays_the_next_push(tmp_path: Path) -> None:
    async with bench(tmp_path, calling(), calling("p2")) as at:
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, retry_after=9.0)
        await at.push()
        assert await at.faults() == ["graph.unreachable"]
        assert (await read_person(at.database)).applied == UNSURE
        at.clock.advance(seconds=8.9)
        assert await at.push() == []
        at.clock.advance(seconds=0.2)
        at.clients.graph.error = None
        assert len(await at.push()) == 2
        assert await at.faults() == []
        assert (await read_person(at.database)).applied == CALL


async def test_while_graph_throttles_everything_it_is_a_problem_and_is_asked_again_within_two_minutes(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, calling("a"), calling("b")) as at:
        at.clients.graph.answer = lambda change: Throttled(600)
        await at.push()
        assert await at.faults() == ["graph.throttled"]
        assert (await read_person(at.database, "a")).due_at == NOON + LONGEST_BLOCK
        at.clients.graph.answer = lambda change: Done()
        at.clock.advance(seconds=119)
        assert await at.push() == []
        at.clock.advance(seconds=1)
        assert len(await at.push()) == 2
        assert await at.faults() == []


async def test_one_failure_among_successes_affects_only_its_person(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("a"), calling("b")) as at:
        at.clients.graph.answer = only("teams b", Failed(ServiceUnavailable(Fault.GRAPH_UNREACHABLE)))
        await at.push()
        assert await at.faults() == []
        at.clock.advance(seconds=5)
        at.clients.graph.answer = only("", Throttled(1))
        assert await at.push() == [SetPresence("teams b", CALL, 14_400)]


BUSY = Failed(ServiceUnavailable(Fault.GRAPH_BUSY, status=423))


async def test_an_account_with_which_graph_is_busy_delays_no_other_and_is_tried_ever_more_rarely(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, calling("a"), calling("b", due_at=None)) as at:
        at.clients.graph.answer = only("teams a", BUSY)
        assert len(await at.push()) == 1
        assert await at.faults() == []
        await at.edit("b", due_at=at.clock())
        assert [change.user_id for change in await at.push()] == ["teams b"]
        at.clock.advance(minutes=2)
        assert len(await at.push()) == 1
        row = await read_person(at.database, "a")
        assert row.due_at
        assert timedelta(seconds=20) < row.due_at - at.clock() < timedelta(seconds=40)
        assert await at.faults() == []


async def test_where_graph_is_busy_with_everyones_account_it_fails(tmp_path: Path) -> None:
    people = [calling(name, due_at=None) for name in ("a", "b", "c")]
    async with bench(tmp_path, *people) as at:
        at.clients.graph.answer = lambda change: BUSY
        for name, expected in (("a", []), ("b", []), ("c", ["graph.unreachable"])):
            await at.edit(name, due_at=at.clock())
            await at.push()
            assert await at.faults() == expected


async def test_wrong_credentials_block_pushing(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:
        at.clients.graph.error = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED, aadsts=7000222)
        await at.push()
        assert await at.faults() == ["entra.secret_expired"]
        at.clock.advance(seconds=3)
        await at.push()
        assert await at.faults() == ["entra.secret_expired"]
        at.clients.graph.error = None
        at.clock.advance(minutes=30)
        assert await at.push() == []


async def test_a_refusal_that_passes_is_tried_again_within_seconds_and_blocks_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:
        for fault in (Fault.GRAPH_FORBIDDEN, Fault.ENTRA_SECRET_WRONG):
            at.clients.graph.error = CredentialsWrong(fault)
            await at.push()
            at.clock.advance(seconds=2)
        at.clients.graph.error = None
        assert await at.push() == [SetPresence("teams p1", CALL, 14_400)]
        assert await at.faults() == []


async def test_what_refused_credentials_sent_changed_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, shown(desired=None)) as at:
        before = await read_person(at.database)
        at.clients.graph.error = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
        assert await at.push() == [ClearPresence("teams p1")]
        row = await read_person(at.database)
        assert (row.applied, row.applied_until) == (before.applied, before.applied_until)
        at.clients.graph.error = None
        at.clock.advance(seconds=3)
        assert await at.push() == [ClearPresence("teams p1")]
        assert (await read_person(at.database)).applied is None


async def test_an_undecryptable_secret_opens_a_problem_and_nothing_is_sent(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(client_secret_sealed="not sealed by our key"), calling())
        at = Bench(database)
        assert await at.push() == []
        assert await at.faults() == ["secret.unreadable"]


async def test_two_integrations_of_one_application_share_its_quota(tmp_path: Path) -> None:
    spent = [[int(NOON.timestamp()), 7]]
    async with bench(tmp_path, *(calling(f"p{n}") for n in range(9)), quota=10) as at:
        await stored(at.database, integration(id="i2", quota_spent=spent))
        assert len(await at.push()) == 3
        at.clock.advance(seconds=33)
        assert len(await at.push()) == 6


async def test_integrations_that_share_a_quota_push_concurrently_without_a_deadlock(tmp_path: Path) -> None:
    async with bench(tmp_path, quota=1000) as at:
        await stored(at.database, with_secrets(integration(id="i2"), ENCRYPTION, client_secret_sealed=SECRET))
        for number in range(5):
            names = {f"{of} {number}": of for of in ("i1", "i2")}
            await stored(at.database, *(calling(name, integration_id=of) for name, of in names.items()))
            async with asyncio.timeout(60):
                await asyncio.gather(*(at.flow.push(of) for of in ("i1", "i2")))
            assert [(await read_person(at.database, name)).applied for name in names] == [CALL, CALL]
        async with at.database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, "i1")
            assert sum(count for each in sharing.values() for _, count in each.quota_spent) == 10


@pytest.mark.parametrize("is_in_flight", [False, True], ids=["not sent yet", "refused afterwards"])
async def test_whose_session_was_left_to_another_integration_is_cleared_by_it(
    tmp_path: Path, is_in_flight: bool
) -> None:
    """Also when its own wish, for which the session was left to it, ends before that has come true."""
    async with bench(tmp_path, shown(desired=None)) as at:
        await stored(at.database, with_secrets(integration(id="i2"), ENCRYPTION, client_secret_sealed=SECRET))
        await stored(at.database, calling("p2", integration_id="i2", teams_user_id="teams p1"))

        async def leave() -> None:
            at.clients.graph.during_push = None
            assert await at.push() == []
            assert (await read_person(at.database)).applied is None

        if is_in_flight:
            at.clients.graph.during_push = leave
            at.clients.graph.error = CredentialsWrong(Fault.GRAPH_FORBIDDEN)
            await at.flow.push("i2")
            at.clients.graph.error = None
        else:
            await leave()
        await at.edit("p2", desired=None, due_at=NOON)
        at.clock.advance(seconds=2)
        await at.flow.push("i2")
        assert at.clients.graph.sent[-1:] == [ClearPresence("teams p1")]
        assert (await read_person(at.database, "p2")).applied is None


async def test_a_session_left_for_a_wish_that_changes_before_it_is_sent_is_changed(tmp_path: Path) -> None:
    """p2 has shown its call through the conference of p1, and wished a conference when p1 left."""
    conference = Presence.IN_A_CONFERENCE_CALL.value
    async with bench(tmp_path, shown(applied=conference, desired=None)) as at:
        await stored(at.database, with_secrets(integration(id="i2"), ENCRYPTION, client_secret_sealed=SECRET))
        theirs = {"integration_id": "i2", "teams_user_id": "teams p1", "applied_user_id": "teams p1"}
        await stored(at.database, shown("p2", desired=conference, due_at=None, **theirs))
        assert await at.push() == []
        assert (await read_person(at.database)).applied is None
        await at.edit("p2", desired=CALL)
        await at.flow.push("i2")
        assert at.clients.graph.sent == [SetPresence("teams p1", CALL, 14400)]


@pytest.mark.parametrize("is_in_flight", [False, True], ids=["not sent yet", "answered late"])
async def test_what_another_integration_sent_for_a_wish_that_is_over_is_changed(
    tmp_path: Path, is_in_flight: bool
) -> None:
    """p1 sends the conference that p2 wishes for a moment, before p2 or while its call is being sent."""
    conference = Presence.IN_A_CONFERENCE_CALL
    async with bench(tmp_path, calling()) as at:
        await stored(at.database, with_secrets(integration(id="i2"), ENCRYPTION, client_secret_sealed=SECRET))
        theirs = {"integration_id": "i2", "teams_user_id": "teams p1", "applied_user_id": "teams p1"}
        row = shown("p2", due_at=None, **theirs)
        await stored(
            at.database, row if not is_in_flight else row.sqlmodel_update({"applied": None, "due_at": NOON})
        )

        async def send_theirs() -> None:
            at.clients.graph.during_push = None
            at.clock.advance(seconds=1)
            await at.edit("p2", desired=conference)
            assert await at.push() == [SetPresence("teams p1", conference, 14400)]
            await at.edit("p2", desired=CALL)

        if is_in_flight:
            at.clients.graph.during_push = send_theirs
        else:
            await send_theirs()
        await at.flow.push("i2")
        assert at.clients.graph.sent[-1] == SetPresence("teams p1", CALL, 14400)
        assert (await read_person(at.database, "p2")).applied == CALL


async def test_every_application_has_its_own_quota(tmp_path: Path) -> None:
    async with bench(tmp_path, *(calling(f"p{n}") for n in range(9)), quota=10) as at:
        spent = [[int(NOON.timestamp()), 10]]
        await stored(at.database, integration(id="i2", client_id="another app", quota_spent=spent))
        assert len(await at.push()) == 9


async def test_the_spent_quota_survives_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, *(calling(f"p{n}") for n in range(9)), quota=5) as at:
        assert len(await at.push()) == 5
        another = Bench(at.database, 5)
        assert await another.push() == []


async def test_a_disabled_integration_only_clears(tmp_path: Path) -> None:
    async with bench(tmp_path, shown("a"), calling("b"), enabled=False) as at:
        assert await at.push() == [ClearPresence("teams a")]
        assert (await read_person(at.database, "a")).applied is None
        assert (await read_integration(at.database)).quota_spent[0][1] == 1


async def test_an_integration_deleted_while_sending_causes_no_error(tmp_path: Path) -> None:
    async with bench(tmp_path, calling()) as at:

        async def delete() -> None:
            async with at.database.writing() as session:
                await session.delete(await session.get(Integration, "i1"))

        at.clients.graph.during_push = delete
        with captured_log() as log:
            assert len(await at.push()) == 1
        assert [line for line in log.lines() if line["level"] == "error"] == []


async def test_an_excluded_person_is_cleared(tmp_path: Path) -> None:
    async with bench(tmp_path, shown(excluded=True)) as at:
        assert await at.push() == [ClearPresence("teams p1")]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_push_reads_the_due_people_once_and_again_where_others_may_have_stored_some(
    tmp_path: Path, shared: bool
) -> None:
    async with bench(tmp_path, calling()) as alike:
        at = Bench(alike.database, jobs=FakeJobs(others=shared))
        with recorded_statements(at.database) as statements:
            await at.push()
        asked = [each for each in statements if "FROM person" in each and "LIMIT" in each]
        assert len(asked) == 1 + shared


async def test_who_holds_the_same_secret_gets_the_new_one_also_where_a_push_proves_it_first(tmp_path: Path) -> None:
    """The process was killed after the swap: what is due is sent before the rotation goes on."""
    store, other = CredentialStore(ENCRYPTION), integration(id="i2")
    new = Credentials(CredentialKind.SECRET, "another secret")
    async with bench(tmp_path, calling()) as at:
        await stored(at.database, with_secrets(other, ENCRYPTION, client_secret_sealed=SECRET))
        async with at.database.writing() as session:
            await store.replace(session, await session.get_one(Integration, "i1"), new, NOON)
            named: dict[str, Any] = {
                "integration_id": "i1",
                "owner_tenant": "t1",
                "kind": "by_hand",
                "step": "prove",
            }
            session.add(Rotation(**named, started_at=NOON, due_at=NOON))
        assert len(await at.push()) == 1
        await stored(at.database, calling("p2"))
        context = context_of(at.database, at.clients, at.jobs, at.clock)
        await Rotator(context, store, timedelta(minutes=1)).rotate("i1")
        for key in ("i1", "i2"):
            assert store.app(await read_integration(at.database, key)).client_secret == new.secret
        assert (await read_integration(at.database)).previous_secret_sealed is None
