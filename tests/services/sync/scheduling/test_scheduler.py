from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from storage.database import Database, open_database
from storage.queries.clock import LEASE
from storage.queries.health.notices import State
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.people import Endpoint
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.domain.errors import Fault
from sync.scheduling.scheduler import Intervals, Scheduler
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored

pytestmark = pytest.mark.usefixtures("each_database")


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


def fresh(**values: Any) -> Integration:
    """An integration with nothing due."""
    times = {
        "polled_at": NOON,
        "matched_at": NOON,
        "subscription_checked_at": NOON,
        "subscription_id": "s",
        "live_since": NOON,
    }
    return integration(**{**times, **values})


def scheduler_of(database: Database, jobs: FakeJobs) -> Scheduler:
    return Scheduler(context_of(database, jobs=jobs), Intervals(), paced=(), public=True)


REFUSED_BY = {"cloudlink": Fault.CLOUDLINK_REFUSED, "graph": Fault.GRAPH_FORBIDDEN}


def problem(service: str, lasting: bool, since: datetime, checked: datetime, suspected: bool = False) -> Problem:
    return Problem(
        integration_id="i1",
        service=service,
        fault=REFUSED_BY[service] if lasting or suspected else f"{service}.unreachable",
        lasting=lasting,
        since=since,
        checked_at=checked,
    )


OLD, NEW = ago(hours=1), ago(seconds=20)
DOWN = problem("cloudlink", False, ago(seconds=30), ago(seconds=5))
DOWN_BEFORE_THE_CLOCK_WAS_SET_BACK = problem("cloudlink", False, ago(hours=-1), ago(hours=-1))
REFUSED = problem("cloudlink", True, OLD, NEW)
REVOKED = problem("graph", True, OLD, NEW)


async def test_a_match_that_is_set_for_later_is_not_queued_again(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(matched_at=OLD))
        jobs = FakeJobs()
        await jobs.defer("match", "i1", at=NOON + timedelta(minutes=1))
        await scheduler_of(database, jobs).schedule("")
        assert "match" not in jobs.now()


@pytest.mark.parametrize(
    ("row", "opened", "expected"),
    [
        (fresh(), [], []),
        (fresh(polled_at=ago(seconds=31)), [], []),
        (fresh(polled_at=ago(seconds=301)), [], ["poll_sample"]),
        (fresh(polled_at=ago(seconds=901)), [], ["poll"]),
        (fresh(polled_at=None, subscription_id=""), [], ["poll"]),
        (fresh(polled_at=ago(seconds=31), live_since=None), [], ["poll"]),
        (fresh(polled_at=ago(seconds=31), missed_at=ago(minutes=10), last_webhook_at=NOON), [], ["poll"]),
        (fresh(polled_at=ago(seconds=31), missed_at=OLD, last_webhook_at=ago(hours=2)), [], ["poll"]),
        (fresh(polled_at=ago(seconds=31), missed_at=ago(hours=1), last_webhook_at=NOON), [], []),
        (fresh(polled_at=ago(seconds=31), unreported={"p": ago(seconds=16).timestamp()}), [], ["poll"]),
        (fresh(polled_at=ago(seconds=31), unreported={"p": ago(seconds=14).timestamp()}), [], []),
        (fresh(catch_up_since=NOON), [], ["poll"]),
        (fresh(catch_up_since=NOON), [DOWN], []),
        (fresh(catch_up_since=NOON), [DOWN_BEFORE_THE_CLOCK_WAS_SET_BACK], ["probe", "poll"]),
        (fresh(polled_at=ago(seconds=31), subscription_id=""), [], ["poll"]),
        (fresh(subscription_checked_at=ago(minutes=6)), [], ["subscribe"]),
        (fresh(matched_at=ago(minutes=16)), [], ["match"]),
        (fresh(polled_at=OLD), [DOWN], []),
        (fresh(polled_at=OLD), [REFUSED], []),
        (fresh(polled_at=OLD), [problem("cloudlink", True, OLD, ago(minutes=4))], ["probe", "poll"]),
        (fresh(matched_at=OLD, polled_at=OLD), [REVOKED], ["poll"]),
        (fresh(), [problem("graph", True, OLD, ago(minutes=4))], ["probe"]),
        (fresh(), [problem("graph", True, NEW, NEW)], ["probe"]),
        (fresh(), [problem("graph", False, ago(seconds=2), ago(seconds=2), suspected=True)], []),
        (fresh(), [problem("graph", False, ago(seconds=3), ago(seconds=1), suspected=True)], ["probe"]),
        (fresh(), [problem("cloudlink", False, ago(seconds=9), ago(seconds=9), suspected=True)], ["probe"]),
        (fresh(), [problem("graph", False, ago(seconds=9), ago(seconds=5), suspected=True)], []),
        (fresh(), [problem("cloudlink", False, OLD, ago(minutes=4))], ["probe"]),
        (fresh(enabled=False, subscription_id=""), [problem("graph", False, OLD, ago(minutes=4))], ["probe"]),
        (fresh(), [problem("graph", False, OLD, NEW), problem("people", False, OLD, OLD)], []),
        (fresh(enabled=False, polled_at=None, matched_at=None), [], ["subscribe"]),
        (fresh(enabled=False, polled_at=None, subscription_id=""), [], []),
        (fresh(removing_since=NOON, polled_at=None), [], ["remove"]),
        (fresh(removing_since=NOON), [problem("graph", True, NEW, NEW)], ["probe", "remove"]),
        (fresh(removing_since=NOON), [REVOKED], ["remove"]),
        (fresh(expiry_checked_at=None), [], ["expiry"]),
        (fresh(expiry_checked_at=ago(hours=25)), [], ["expiry"]),
        (fresh(expiry_checked_at=None), [REVOKED], []),
        (fresh(auto_rotate=True, secret_expires_on=NOON.date()), [], ["rotate"]),
    ],
)
async def test_due_jobs(tmp_path: Path, row: Integration, opened: list[Problem], expected: list[str]) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        scheduler = scheduler_of(database, FakeJobs())
        assert scheduler.due(row, opened, None, NOON) == expected
        assert scheduler.due(row, opened, NOON, NOON) == ["push", *expected]


async def test_a_run_queues_what_is_due_and_the_next_run(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(), fresh(id="i2", polled_at=OLD), person(due_at=NOON))
        await stored(database, problem("graph", True, OLD, NEW))
        jobs = FakeJobs()
        scheduler = scheduler_of(database, jobs)
        await scheduler.schedule("all")
        assert jobs.deferred == [
            ("schedule", "all", NOON + timedelta(seconds=5)),
            ("push", "i1", None),
            ("poll", "i2", None),
        ]


async def test_a_round_of_polling_that_is_under_way_is_not_begun_again(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(catch_up_since=NOON), fresh(id="i2", catch_up_since=NOON))
        jobs = FakeJobs()
        await jobs.defer("poll_chunk", "i1", NOON + timedelta(minutes=4))
        await scheduler_of(database, jobs).schedule("all")
        assert [name for name in jobs.deferred if name[0] == "poll"] == [("poll", "i2", None)]


async def test_at_start_phones_are_polled_before_anything_is_pushed(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(), fresh(id="i2", enabled=False))
        jobs = FakeJobs()
        await scheduler_of(database, jobs).start()
        assert jobs.deferred == [
            ("poll", "i1", None),
            ("subscribe", "i1", None),
            ("push", "i2", None),
            ("schedule", "all", NOON + timedelta(seconds=5)),
            ("cleanup", "all", None),
            ("warn", "all", None),
        ]


@pytest.mark.parametrize("starts", [False, True])
async def test_what_a_clock_that_was_ahead_made_due_later_is_due_when_it_is_set_back(
    tmp_path: Path, starts: bool
) -> None:
    """Of a retry, a renewal, a refusal and a clear; what was planned by the right clock stays."""
    ahead = NOON + timedelta(hours=1)
    async with empty_store(tmp_path) as database:
        retry = person("retry", desired="Busy/InACall", due_at=ahead)
        renewal = person("renewal", desired="Busy/InACall", applied="Busy/InACall", applied_at=ahead, due_at=ahead)
        refused = person("refused", desired="Busy/InACall", refused_since=ahead, refused_until=ahead, due_at=ahead)
        calm = person("calm", desired="Busy/InACall", applied="Busy/InACall", applied_at=NOON, due_at=ahead)
        shown: dict[str, Any] = {"applied": "Busy/InACall", "applied_at": NOON, "applied_user_id": "teams moved"}
        shown |= {"teams_user_id": "teams moved", "desired": "Busy/InACall", "due_at": ahead}
        clears = [
            person("excluded", **{**shown, "excluded": True}),
            person("moved", **{**shown, "teams_user_id": "their next"}),
            person("disabled", **{**shown, "integration_id": "i2"}),
        ]
        await stored(database, fresh(), fresh(id="i2", enabled=False), retry, renewal, refused, calm, *clears)
        await stored(database, person("message", status_due_at=ahead), *timers(ahead))
        clock, jobs = FakeClock(ahead), FakeJobs()
        scheduler = Scheduler(context_of(database, jobs=jobs, clock=clock), Intervals(), paced=(), public=True)
        await (scheduler.start() if starts else scheduler.schedule("all"))
        clock.now = NOON + timedelta(seconds=5)
        await scheduler.schedule("all")
        waiting = ("retry", "renewal", "refused", "excluded", "moved", "disabled")
        due = {name: (await read_person(database, name)).due_at for name in (*waiting, "calm")}
        assert due == {**dict.fromkeys(waiting, clock.now), "calm": ahead}
        assert (await read_person(database, "refused")).refused_until is None
        assert (await read_person(database, "message")).status_due_at == clock.now
        async with database.session() as session:
            others = [(await session.exec(select(each))).one() for each in (Notice.due_at, Rotation.due_at)]
            others.append((await session.exec(select(Endpoint.poll_at))).one())
            ended = (await session.exec(select(Problem))).one()
        assert others == [clock.now, clock.now + LEASE, clock.now]
        assert (ended.since, ended.checked_at, ended.healed_at) == (OLD, clock.now, clock.now), "for its all-clear"


@pytest.mark.parametrize("starts", [False, True])
async def test_a_reminder_keeps_its_time_at_a_start_and_when_the_clock_is_set_back(
    tmp_path: Path, starts: bool
) -> None:
    """One that was asked for while the clock was ahead waits a day; one that is already tried is tried again."""
    async with empty_store(tmp_path) as database:
        rows = {
            "right": waiting("p1~2026-11-23", NOON + timedelta(hours=3)),
            "ahead": waiting("p2~2026-11-30", NOON + timedelta(days=8)),
            "tried": waiting("p3~2026-11-23", NOON + timedelta(hours=1), attempts=7),
            "closing": waiting("p4~2026-11-23", NOON + timedelta(minutes=5), state=State.CLOSING),
        }
        await stored(database, fresh(), *rows.values())
        clock = FakeClock(NOON + timedelta(days=7))
        context = context_of(database, jobs=FakeJobs(), clock=clock)
        scheduler = Scheduler(context, Intervals(), paced=(), public=True)
        if not starts:
            await scheduler.schedule("all")
        clock.now = NOON
        await (scheduler.start() if starts else scheduler.schedule("all"))
        async with database.session() as session:
            due = {row.stage: row.due_at for row in (await session.exec(select(Notice))).all()}
        kept = {"right": NOON + timedelta(hours=3), "ahead": NOON + timedelta(days=1)}
        assert {name: due[row.stage] for name, row in rows.items()} == {**kept, "tried": NOON, "closing": NOON}


def waiting(stage: str, due_at: datetime, **values: Any) -> Notice:
    given = {"state": State.WAITING, "created_at": due_at, "due_at": due_at, "audience": "ada", **values}
    return Notice(integration_id="i1", owner_tenant="t1", topic="problem", stage=stage, **given)


def timers(due_at: datetime) -> tuple[Any, ...]:
    """A notice, a step of a rotation and a phone to be read, all due then; and a problem that ended then."""
    notice = waiting("p1", due_at)
    step = Rotation(integration_id="i1", owner_tenant="t1", kind="for_me", step="wait", started_at=due_at)
    step.due_at = due_at
    phone = Endpoint(person_id="message", extension="1", integration_id="i1", poll_at=due_at)
    ended = problem("cloudlink", True, OLD, due_at)
    ended.healed_at = due_at
    return notice, step, phone, ended


@pytest.mark.parametrize(
    ("values", "due_at", "is_down", "is_read"),
    [
        ({}, NOON, False, True),
        ({}, NOON + timedelta(seconds=1), False, False),
        ({}, NOON, True, False),
        ({"enabled": False}, NOON, False, False),
    ],
)
async def test_a_phone_in_doubt_is_read_although_the_job_for_it_could_not_be_queued(
    tmp_path: Path, values: dict[str, Any], due_at: datetime, is_down: bool, is_read: bool
) -> None:
    """As when the process is killed, or the queue unavailable, after the doubt was stored."""
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(**values), person())
        await stored(database, Endpoint(person_id="p1", extension="1", integration_id="i1", poll_at=due_at))
        if is_down:
            await stored(database, problem("cloudlink", False, ago(seconds=30), ago(seconds=5)))
        jobs = FakeJobs()
        await scheduler_of(database, jobs).schedule("")
        assert ("poll_now" in jobs.now()) == is_read
        await jobs.defer("poll_now", "i1", at=NOON + timedelta(seconds=1))
        await scheduler_of(database, jobs).schedule("")
        assert jobs.now().count("poll_now") == is_read


async def test_a_rotation_that_is_due_is_continued(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, fresh(), fresh(id="i2"))
        for key, due_at in (("i1", NOON), ("i2", NOON + timedelta(minutes=1))):
            row = Rotation(integration_id=key, owner_tenant="t1", kind="for_me", step="wait", started_at=OLD)
            row.due_at = due_at
            await stored(database, row)
        jobs = FakeJobs()
        await scheduler_of(database, jobs).schedule("")
        assert [name for name in jobs.deferred if name[0] == "rotate"] == [("rotate", "i1", None)]
