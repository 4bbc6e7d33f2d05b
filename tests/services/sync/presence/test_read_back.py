"""What Teams shows is read back every minute, compared, sent again once, and reported when that does not help."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries.health import problems
from storage.queries.people import effects
from storage.tables.columns import UNSURE
from storage.tables.effects import ReadBack
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import SetPresence
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.jobs import PUSH
from sync.domain.model import Proof
from sync.domain.presence import Effect, Presence, Shown
from sync.presence.delays import Delays
from sync.presence.hours import counted
from sync.presence.proof import proof_of
from sync.presence.read_back import ReadBackJob
from sync.presence.reader import PresenceReader
from sync.problems.incidents import EFFECT_MISSING
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import AVAILABLE, FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets
from tests.support.sync.flows import flow_of

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = Presence.IN_A_CALL
IN_A_CALL = Shown("Busy", "InACall")
LONG_AGO = NOON - timedelta(minutes=5)


def calling(name: str, integration_id: str = "i1", **values: Any) -> Person:
    given = {
        "integration_id": integration_id,
        "desired": CALL.value,
        "desired_at": LONG_AGO,
        "heard_at": NOON,
        "applied": CALL.value,
        "applied_user_id": f"teams {name}",
        "applied_at": LONG_AGO,
        "applied_until": NOON + timedelta(hours=4),
    }
    return person(name, **{**given, **values})


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.clients = FakeServiceClients()
        self.graph = self.clients.graph
        self.jobs = FakeJobs()
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        context = context_of(database, self.clients, self.jobs, self.clock, metrics)
        store, quota = CredentialStore(ENCRYPTION), QuotaLedger(Quota(1500), metrics)
        self.delays = Delays(database, self.clock)
        self.job = ReadBackJob(context, PresenceReader(context, store, quota), self.delays)
        self.flow = flow_of(context, store)

    async def read(self, integration_id: str = "i1", **later: float) -> None:
        self.clock.advance(**later)
        await self.job.run(integration_id)

    async def proof(self, integration_id: str = "i1") -> Proof:
        async with self.database.session() as session:
            return await proof_of(session, integration_id)

    async def row(self, name: str) -> ReadBack | None:
        async with self.database.session() as session:
            return await session.get(ReadBack, name)

    async def faults(self) -> list[str]:
        async with self.database.session() as session:
            return [problem.fault for problem in await problems.list_open(session, "i1")]

    def counted(self, effect: Effect) -> float | None:
        return self.registry.get_sample_value("cloudlink_presence_read_back_total", {"effect": effect.value})


@asynccontextmanager
async def bench(folder: Path, *people: Person, others: int = 0) -> AsyncIterator[Bench]:
    """Integration ``i1``, and ``others`` with the same application."""
    async with empty_store(folder) as database:
        for number in range(1, others + 2):
            row = integration(id=f"i{number}")
            await stored(database, with_secrets(row, ENCRYPTION, client_secret_sealed="secret"))
        await stored(database, *people)
        yield Bench(database)


async def test_status_says_how_many_teams_shows_as_wished_and_what_it_shows_of_the_others(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(5)]
    async with bench(tmp_path, *(calling(name) for name in names)) as at:
        assert await at.proof() == Proof()
        at.graph.shown = dict.fromkeys((f"teams {name}" for name in names[:3]), IN_A_CALL)
        at.graph.shown |= {
            "teams p3": Shown("DoNotDisturb", "DoNotDisturb"),
            "teams p4": Shown("Busy", "InAMeeting"),
        }
        await at.read()
        others = ((Effect.CHOSEN, "DoNotDisturb", 1), (Effect.OUTRANKED, "InAMeeting", 1))
        assert await at.proof() == Proof(at.clock(), checked=5, shown=3, others=others)
        assert (at.counted(Effect.AS_WISHED), at.counted(Effect.CHOSEN)) == (3, 1)
        assert at.jobs.deferred == []
        await at.read(minutes=1)
        await at.delays.flush()
        async with at.database.session() as session:
            (hour,) = (await counted(session, "i1", NOON, at.clock() + timedelta(hours=1))).hours()
        assert hour.overruled == 2


async def test_what_did_not_change_is_not_written_again_and_a_new_call_is_judged_for_itself(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:
        at.graph.shown = {"teams p1": IN_A_CALL}
        await at.read()
        await at.read(minutes=1)
        first = await at.row("p1")
        assert first
        assert (first.activity, first.at) == ("InACall", NOON)
        async with at.database.writing() as session:
            row = await session.get(Person, "p1")
            assert row
            row.desired_at = row.applied_at = NOON + timedelta(minutes=2)
        assert (await at.proof()).checked == 0
        await at.read(minutes=3)
        again = await at.row("p1")
        assert again
        assert again.at == at.clock()
        assert (await at.proof()).shown == 1


async def test_what_is_not_shown_is_sent_again_once(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:
        at.graph.shown = {"teams p1": Shown("Offline", "Offline")}
        await at.read()
        assert at.jobs.deferred == [(PUSH, "i1", None)]
        assert (await read_person(at.database)).applied == UNSURE
        await at.flow.push("i1")
        assert at.graph.sent == [SetPresence("teams p1", CALL, 14_400)]
        for _ in range(3):
            await at.read(minutes=1)
            await at.flow.push("i1")
        assert len(at.graph.sent) == 1
        assert (await at.proof()).others == ((Effect.NOT_SHOWN, "Offline", 1),)
        at.graph.shown = {"teams p1": IN_A_CALL}
        await at.read(minutes=1)
        assert (await at.proof()).shown == 1


async def test_a_person_who_chose_to_be_available_is_not_sent_again_and_again_nor_reported(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:
        for _ in range(15):
            await at.read(minutes=1)
            await at.flow.push("i1")
        assert len(at.graph.sent) == 1
        assert (await at.proof()).others == ((Effect.PERHAPS_CHOSEN, "Available", 1),)
        assert await at.faults() == []


@pytest.mark.parametrize("shown", [Shown("Offline", "Offline"), AVAILABLE])
async def test_a_fault_that_lasts_is_reported_and_closed_once_teams_shows_calls_again(
    tmp_path: Path, shown: Shown
) -> None:
    names = ("p1", "p2", "p3")
    async with bench(tmp_path, *(calling(name) for name in names)) as at:
        at.graph.shown = {f"teams {name}": shown for name in names}
        for minutes in range(13):
            await at.read(minutes=1)
            await at.flow.push("i1")
            assert await at.faults() == ([EFFECT_MISSING] if minutes >= 11 else [])
        at.graph.shown = {f"teams {name}": IN_A_CALL for name in names}
        await at.read(minutes=1)
        assert await at.faults() == []


@pytest.mark.parametrize(
    "values",
    [
        {"desired": None},
        {"applied": UNSURE},
        {"applied_at": NOON - timedelta(seconds=20)},
        {"applied_at": None},
        {"applied_until": NOON},
        {"applied": None, "applied_user_id": None, "applied_until": None},
    ],
)
async def test_what_is_just_changing_or_has_ended_is_not_judged(tmp_path: Path, values: dict[str, Any]) -> None:
    async with bench(tmp_path, calling("p1", **values)) as at:
        await at.read()
        assert (await at.proof()).checked == 0
        assert at.jobs.deferred == []


async def test_what_is_to_be_cleared_is_neither_judged_nor_counted_nor_sent_again(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [
        {"excluded": True},
        {"outside": "only"},
        {"opted_out": True},
        {"teams_user_id": "teams other"},
    ]
    people = [calling("p1"), *(calling(f"other {place}", **values) for place, values in enumerate(others))]
    running: dict[str, Any] = {"closed": False, "enabled": True, "removing_since": None}
    changes: list[tuple[dict[str, Any], int]] = [
        ({"closed": True}, 0),
        ({"enabled": False}, 0),
        ({"removing_since": NOON}, 0),
        ({}, 1),
    ]
    async with bench(tmp_path, *people) as at:
        at.graph.shown = {f"teams {each.id}": Shown("DoNotDisturb", "DoNotDisturb") for each in people}
        at.graph.shown["teams other 3"] = Shown("Offline", "Offline")
        for change, calls in changes:
            async with at.database.writing() as session:
                row = await session.get(Integration, "i1")
                assert row
                row.sqlmodel_update({**running, **change})
            await at.read()
            assert (at.counted(Effect.CHOSEN) or 0) == calls
            assert not at.counted(Effect.NOT_SHOWN)
        assert at.jobs.deferred == []
        await at.delays.flush()
        async with at.database.session() as session:
            assert (await counted(session, "i1", NOON, NOON + timedelta(hours=1))).total(NOON).overruled == 1


async def test_a_call_that_ends_while_teams_is_read_is_not_sent_again(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:

        async def hang_up() -> None:
            async with at.database.writing() as session:
                row = await session.get(Person, "p1")
                assert row
                row.desired, row.desired_at = None, at.clock()

        at.graph.during_read = hang_up
        await at.read()
        row = await read_person(at.database)
        assert (row.applied, row.due_at) == (CALL, None)


async def test_of_people_left_out_of_the_answer_nothing_is_claimed(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1"), calling("p2")) as at:
        at.graph.shown, at.graph.unknown = {"teams p1": IN_A_CALL}, {"teams p2"}
        await at.read()
        proof = await at.proof()
        assert (proof.checked, proof.shown, proof.others) == (1, 1, ())
        assert at.jobs.deferred == []


async def test_where_graph_refuses_reading_status_says_so_and_claims_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:
        at.graph.shown = {"teams p1": IN_A_CALL}
        await at.read()
        at.graph.error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
        await at.read(minutes=1)
        assert await at.proof() == Proof(at.clock(), refused=True)
        assert await at.faults() == []
        at.graph.error = ServiceUnavailable(Fault.GRAPH_THROTTLED, 1.0)
        await at.read(minutes=1)
        assert await at.proof() == Proof(NOON, checked=1, shown=1, failed=True)
        at.graph.error = None
        await at.read(minutes=1)
        assert await at.proof() == Proof(at.clock(), checked=1, shown=1)


async def test_a_reading_that_fails_makes_the_figures_no_newer(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1")) as at:
        at.graph.error = ServiceUnavailable(Fault.GRAPH_THROTTLED, 1.0)
        await at.read()
        assert await at.proof() == Proof(failed=True)
        at.graph.shown, at.graph.error = {"teams p1": IN_A_CALL}, None
        await at.read(minutes=1)
        at.graph.error = ServiceUnavailable(Fault.GRAPH_THROTTLED, 1.0)
        await at.read(minutes=10)
        assert await at.proof() == Proof(NOON + timedelta(minutes=1), checked=1, shown=1, failed=True)


async def test_integrations_that_share_an_application_are_read_together_and_the_strongest_wish_counts(
    tmp_path: Path,
) -> None:
    shared = {"applied_user_id": "ana", "teams_user_id": "ana"}
    strong = {"applied": Presence.PRESENTING.value, "desired": Presence.PRESENTING.value}
    people = (calling("p1", **shared), calling("p2", "i2", **shared, **strong), calling("p3", "i2"))
    async with bench(tmp_path, *people, others=1) as at:
        at.graph.shown = {"ana": Shown("DoNotDisturb", "Presenting"), "teams p3": IN_A_CALL}
        await at.read()
        assert at.graph.asked == [["ana", "teams p3"]]
        assert (await at.proof("i2")).shown == 2
        assert at.counted(Effect.AS_WISHED) == 3
        assert at.jobs.deferred == []


async def test_an_integration_whose_credentials_are_refused_learns_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1"), calling("p2", "i2"), others=1) as at:
        async with at.database.writing() as session:
            await problems.upsert_open(session, "i2", "entra", Fault.ENTRA_SECRET_WRONG.value, {}, True, NOON)
        await at.read()
        assert at.graph.asked == [["teams p1"]]
        assert await at.proof("i2") == Proof()


async def test_more_people_than_one_request_takes_are_read_in_slices_without_cutting_a_shared_person(
    tmp_path: Path,
) -> None:
    many = [calling(f"p{number:04}") for number in range(700)]
    shared = {"applied_user_id": "teams p0649", "teams_user_id": "teams p0649"}
    async with bench(tmp_path, others=1) as at:
        async with at.database.writing() as session:
            session.add_all([*many, calling("other", "i2", **shared)])
        await at.read()
        assert [len(each) for each in at.graph.asked] == [649, 51]
        async with at.database.session() as session:
            assert sum(count for *_, count in await effects.summary(session, "i1")) == 0
        assert at.jobs.deferred == [(PUSH, "i1", None), (PUSH, "i2", None)]


async def test_a_refusal_by_entra_that_only_the_reading_met_is_a_problem(tmp_path: Path) -> None:
    async with bench(tmp_path, calling("p1"), others=1) as at:
        at.graph.error = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
        await at.read("i1")
        assert await at.faults() == ["entra.secret_expired"]
        at.graph.error = None
        await at.read("i2", minutes=1)
        assert await at.faults() == ["entra.secret_expired"]
