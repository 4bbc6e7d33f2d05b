"""The periodic jobs need as many statements for many integrations as for one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.tables.conversations import Conversation
from storage.tables.history import HistoryEntry
from storage.tables.notices import AlertChannel, AlertPreference, Notice
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.domain.jobs import POLL, SUBSCRIBE
from sync.problems.clock_skew import MAX_SKEW
from sync.problems.notice_scheduler import BATCH, NoticeScheduler
from sync.reports.reports import Reports
from sync.scheduling.scheduler import Intervals, Scheduler
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import empty_store, integration, person

pytestmark = pytest.mark.usefixtures("each_database")

MANY = 50
LONG_AGO = NOON - timedelta(days=3)


@asynccontextmanager
async def fleet(folder: Path, size: int) -> AsyncIterator[Database]:
    """So many integrations of as many tenants, each with rows in every table and its notices sent."""
    await asyncio.to_thread(folder.mkdir)
    async with empty_store(folder) as database:
        async with database.writing() as session:
            for number in range(size):
                session.add_all(rows_of(f"i{number}", f"t{number}"))
        yield database


def rows_of(key: str, tenant: str) -> list[Any]:
    here: dict[str, Any] = {"integration_id": key}
    owned: dict[str, Any] = {"owner_tenant": tenant}
    return [
        integration(id=key, owner_tenant=tenant, polled_at=None, auto_rotate=True, secret_expires_on=NOON.date()),
        person(f"p of {key}", integration_id=key, due_at=NOON, status_due_at=NOON),
        Problem(
            id=f"problem of {key}",
            service="graph",
            fault="graph.unreachable",
            since=LONG_AGO,
            checked_at=NOON,
            **here,
        ),
        Rotation(kind="for_me", step="wait", started_at=LONG_AGO, due_at=NOON, **here, **owned),
        conversation(tenant, "ada"),
        conversation(tenant, "ben", unreachable=True),
        AlertPreference(user_object_id="ben", muted=True, **here, **owned),
        AlertChannel(
            conversation_id="c", service_url="", bot_id="", channel_id="", unreachable=True, added_at=NOON, **owned
        ),
        HistoryEntry(actor_id="ada", act="rotate", result="done", at=LONG_AGO, **here, **owned),
        sent(key, tenant, "expiry", f"{NOON.date()}/0"),
        sent(key, tenant, "problem", f"problem of {key}"),
    ]


def conversation(tenant: str, who: str, unreachable: bool = False) -> Conversation:
    return Conversation(
        tenant_id=tenant,
        user_object_id=who,
        service_url="",
        conversation_id="",
        user_id="",
        bot_id="",
        channel_id="",
        admin_as=who,
        unreachable=unreachable,
        seen_at=NOON,
    )


def sent(key: str, tenant: str, topic: str, stage: str) -> Notice:
    return Notice(
        integration_id=key,
        owner_tenant=tenant,
        topic=topic,
        stage=stage,
        audience="ada",
        facts={"since": NOON.isoformat()},
        state="sent",
        created_at=NOON,
    )


def scheduler_of(database: Database, jobs: FakeJobs) -> Scheduler:
    return Scheduler(context_of(database, jobs=jobs), Intervals(), paced=(POLL, SUBSCRIBE), public=True)


def notice_scheduler_of(database: Database, jobs: FakeJobs, skew: float = 0.0) -> NoticeScheduler:
    context = context_of(database, jobs=jobs)
    digest = Reports(context).digest
    return NoticeScheduler(context, timedelta(seconds=10), lambda _, now: None, lambda: skew, digest)


async def schedule(database: Database, jobs: FakeJobs) -> None:
    await scheduler_of(database, jobs).schedule("all")


async def start(database: Database, jobs: FakeJobs) -> None:
    await scheduler_of(database, jobs).start()


async def plan_notices(database: Database, jobs: FakeJobs) -> None:
    await notice_scheduler_of(database, jobs).run("all")


@pytest.mark.parametrize("run", [schedule, start, plan_notices])
async def test_statements_do_not_grow_with_integrations(
    tmp_path: Path, run: Callable[[Database, FakeJobs], Awaitable[None]]
) -> None:
    numbers = {}
    for size in (1, MANY):
        async with fleet(tmp_path / str(size), size) as database:
            with recorded_statements(database) as statements:
                await run(database, FakeJobs())
            numbers[size] = len(statements)
    assert numbers[1] > 0
    assert numbers[MANY] == numbers[1], statements


async def test_every_integration_gets_its_due_jobs(tmp_path: Path) -> None:
    async with fleet(tmp_path / "fleet", 3) as database:
        jobs = FakeJobs()
        await schedule(database, jobs)
        for key in ("i0", "i1", "i2"):
            of_it = {job for job, name, _ in jobs.deferred if name == key}
            assert of_it == {"rotate", "push_status_message", "push", "subscribe", "poll"}


async def test_after_a_start_the_jobs_of_many_integrations_are_smoothed(tmp_path: Path) -> None:
    async with fleet(tmp_path / "fleet", MANY) as database:
        jobs = FakeJobs()
        await start(database, jobs)
        assert sorted(jobs.now()).count("poll") == 20
        assert sorted(jobs.now()).count("subscribe") == 20


async def test_each_integration_gets_its_own_notices(tmp_path: Path) -> None:
    """With more integrations than a batch, each problem is notified once, to its own administrators."""
    size = BATCH + 2
    async with fleet(tmp_path / "fleet", size) as database:
        odd = [f"i{number}" for number in range(1, size, 2)]
        async with database.writing() as session:
            session.add_all(
                Problem(
                    integration_id=key,
                    service="cloudlink",
                    fault="cloudlink.refused",
                    lasting=True,
                    since=LONG_AGO,
                    checked_at=NOON,
                )
                for key in odd
            )
        jobs = FakeJobs()
        await plan_notices(database, jobs)
        assert sorted(key for job, key, _ in jobs.deferred if job == "notify") == sorted(odd)


async def test_a_wrong_clock_opens_one_problem_for_each_tenant(tmp_path: Path) -> None:
    async with fleet(tmp_path / "fleet", 3) as database:
        await notice_scheduler_of(database, FakeJobs(), skew=2 * MAX_SKEW).run("all")
        with recorded_statements(database) as statements:
            await notice_scheduler_of(database, FakeJobs(), skew=2 * MAX_SKEW).run("all")
        assert not [each for each in statements if each.startswith("INSERT INTO problem")]
