"""Jobs in a real PostgreSQL: what one process queues another runs, once; jobs of a dead one are taken over."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from random import Random

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from core.clock import Clock, utc_now
from core.metrics import Metrics
from storage.database import open_database
from storage.transaction import Transaction
from sync.domain.jobs import PUSH
from sync.jobs.fair_manager import ORDINARY, RESERVED, SLOTS
from sync.jobs.postgres import PostgresJobs
from sync.jobs.postgres_queue import create_tables
from sync.jobs.runs import SHARE, FindOwners, QueueConfig
from sync.jobs.worker_locks import FIRST_LOCK
from tests.support.eventually import eventually
from tests.support.storage.db_proxy import proxy_to
from tests.support.storage.postgres import end_connections, fresh_database
from tests.support.sync.recording_job import RecordingJob, owner_in_key
from tests.support.tools import ROOT


@pytest.fixture
def conninfo() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@asynccontextmanager
async def process(
    conninfo: str,
    work: RecordingJob,
    *,
    works: bool = True,
    tick: float = 0.05,
    clock: Clock = utc_now,
    find_owners: FindOwners = owner_in_key,
    others: Collection[str] = (),
) -> AsyncIterator[PostgresJobs]:
    """One of the processes that share the queue; it knows the ``others`` among the jobs too."""
    metrics = Metrics(CollectorRegistry())
    config = QueueConfig(clock, Random(1), metrics, tick, find_owners=find_owners)
    jobs = PostgresJobs(conninfo, config, works=works)
    for job in ("work", *others):
        jobs.register(job, work)
    jobs.register(PUSH, work, urgent=True)
    async with jobs.running():
        yield jobs


async def test_only_jobs_that_are_due_count_as_waiting(conninfo: str) -> None:
    async with process(conninfo, RecordingJob(), works=False) as jobs:
        assert await jobs.waiting() == 0
        await jobs.defer("work", "a")
        await jobs.defer("work", "b")
        await jobs.defer("work", "b", at=utc_now() + timedelta(hours=1))
        await jobs.defer("work", "c", at=utc_now() + timedelta(hours=1))
        assert await jobs.waiting() == 2
        assert await jobs.queued("work") == {"a", "b", "c"}


async def test_the_metrics_of_every_job_exist_before_its_first_run(conninfo: str) -> None:
    registry = CollectorRegistry()
    jobs = PostgresJobs(conninfo, QueueConfig(utc_now, Random(1), Metrics(registry)))
    jobs.register("work", RecordingJob())
    labels = {"task": "work", "outcome": "failed"}
    assert registry.get_sample_value("cloudlink_presence_jobs_total", labels) == 0
    assert registry.get_sample_value("cloudlink_presence_retries_total", {"task": "work"}) == 0


async def rows(conninfo: str, status: str) -> list[tuple[str, str]]:
    """The names and queueing locks of the jobs with this status."""
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        query = "SELECT task_name, queueing_lock FROM procrastinate_jobs WHERE status::text = %s ORDER BY id"
        return await (await connection.execute(query, [status])).fetchall()


async def is_listening(conninfo: str) -> bool:
    """Whether a worker is notified of new jobs: before, it finds them by polling."""
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        return await (await connection.execute(query)).fetchone() == (1,)


async def is_empty(conninfo: str) -> bool:
    return not await rows(conninfo, "todo") and not await rows(conninfo, "doing")


async def test_of_a_job_and_key_one_runs_and_one_waits(conninfo: str) -> None:
    work = RecordingJob()
    async with process(conninfo, work) as jobs:
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        for _ in range(4):
            await jobs.defer("work", "a")
        assert await rows(conninfo, "todo") == [("work", "work:a")]
        work.released.set()
        await eventually(lambda: is_empty(conninfo))
        assert (work.started_keys, work.max_concurrent) == (["a", "a"], 1)


async def test_a_job_of_a_tenant_with_an_id_as_entra_gives_it_is_run(conninfo: str) -> None:
    """PostgreSQL's channels have names of 63 bytes at most, and each queue has one."""
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work) as jobs:
        await jobs.defer("work", "8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90/a")
        await jobs.defer_all([(PUSH, "8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90/b")])
        await eventually(lambda: work.has_started(2))


async def test_two_workers_share_the_jobs_and_never_run_the_same_one_concurrently(conninfo: str) -> None:
    one, other = RecordingJob(), RecordingJob()
    one.released.set()
    other.released.set()
    async with process(conninfo, one) as jobs, process(conninfo, other):
        for round_ in range(5):
            await jobs.defer_all([("work", f"{number}") for number in range(20)])
            await jobs.defer("work", f"alone {round_}")
        await eventually(lambda: is_empty(conninfo))
    done = sorted(one.started_keys + other.started_keys)
    assert {f"{number}" for number in range(20)} | {f"alone {each}" for each in range(5)} == set(done)


async def test_a_process_that_does_not_work_leaves_jobs_to_others(conninfo: str) -> None:
    web, worker = RecordingJob(), RecordingJob()
    worker.released.set()
    async with process(conninfo, web, works=False) as jobs:
        await jobs.defer("work", "a")
        assert await jobs.alive()
        async with process(conninfo, worker):
            await eventually(lambda: worker.has_started(1))
    assert web.started_keys == []


async def test_what_is_handed_over_in_a_transaction_is_queued_once_when_it_is_committed(conninfo: str) -> None:
    work = RecordingJob()
    async with process(conninfo, work, works=False) as jobs, open_database(conninfo) as database:

        def hand_over(transaction: Transaction) -> None:
            jobs.hand_over(transaction, PUSH, {"a": "a tenant", "b": ""})

        def fail(transaction: Transaction) -> None:
            jobs.hand_over(transaction, PUSH, {"c": ""})
            raise ValueError

        await database.transact(hand_over)
        await database.transact(hand_over)
        with pytest.raises(ValueError):
            await database.transact(fail)
        assert await rows(conninfo, "todo") == [(PUSH, f"{PUSH}:a"), (PUSH, f"{PUSH}:b")]
    work.released.set()
    async with process(conninfo, work):
        await eventually(lambda: work.has_started(2))


async def test_a_queued_job_outlives_the_process_that_deferred_it(conninfo: str) -> None:
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work, works=False) as jobs:
        await jobs.defer("work", "a")
    async with process(conninfo, work):
        await eventually(lambda: work.has_started(1))


@pytest.mark.parametrize("job", ["work", PUSH])
async def test_a_timer_does_not_delay_a_job_that_is_due(conninfo: str, job: str) -> None:
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work) as jobs:
        await jobs.defer(job, "a", at=utc_now() + timedelta(hours=1))
        await jobs.defer(job, "a")
        await eventually(lambda: work.has_started(1))
        assert await rows(conninfo, "todo") == [(job, f"{job}:a later")]


async def test_a_timer_runs_at_the_earliest_of_its_times(conninfo: str) -> None:
    """Though the process's clock is three hours ahead of the database's."""
    work = RecordingJob()
    work.released.set()

    def clock() -> datetime:
        return utc_now() + timedelta(hours=3)

    async with process(conninfo, work, clock=clock) as jobs:
        await jobs.defer("work", "a", at=clock() + timedelta(hours=1))
        await jobs.defer("work", "a", at=clock() + timedelta(seconds=0.3))
        await jobs.defer("work", "a", at=clock() + timedelta(hours=2))
        assert work.started_keys == []
        await eventually(lambda: work.has_started(1))
        await eventually(lambda: is_empty(conninfo))


async def test_a_timer_is_not_late_though_the_worker_rarely_polls(conninfo: str) -> None:
    """Set, or brought forward, by the worker or by another process, while nothing else happens."""
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work, tick=1000) as worker, process(conninfo, work, works=False) as web:
        await eventually(lambda: is_listening(conninfo))
        for jobs in (worker, web):
            await jobs.defer("work", "a", at=utc_now() + timedelta(minutes=5))
            for key in ("a", "b"):
                await jobs.defer("work", key, at=utc_now() + timedelta(milliseconds=20))
            await eventually(lambda: work.has_started(2))
            work.started_keys.clear()


async def test_a_failed_job_is_retried_later_and_the_errors_text_is_not_logged(
    conninfo: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    work = RecordingJob()
    work.released.set()
    work.failures = 2
    async with process(conninfo, work) as jobs:
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(3))
        await eventually(lambda: is_empty(conninfo))
    logged = capsys.readouterr().out + caplog.text
    assert logged.count("ValueError") == 2
    assert "secret" not in logged


@pytest.mark.parametrize("times", [1, 2])
async def test_a_failed_job_that_cannot_be_queued_again_at_once_is_queued_later(conninfo: str, times: int) -> None:
    """The second time that is the search for abandoned jobs."""
    work, failures = RecordingJob(), iter(range(times))
    work.released.set()
    work.failures = 1

    async def fail(keys: Collection[str]) -> Mapping[str, str]:
        for _ in failures:
            raise OperationalError("", {}, Exception("the database restarts"))
        return await owner_in_key(keys)

    async with process(conninfo, RecordingJob(), works=False) as web, process(conninfo, work, find_owners=fail):
        await web.defer("work", "a")
        await eventually(lambda: work.has_started(2))
        await eventually(lambda: is_empty(conninfo))


async def test_a_job_of_a_later_release_is_run_once_those_have_ended_that_do_not_know_it(conninfo: str) -> None:
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, RecordingJob(), works=False, others=["new"]) as web:
        async with process(conninfo, work) as earlier:
            await web.defer("new", "a")
            await web.defer("work", "b")
            await eventually(lambda: work.has_started(1))
            assert await earlier.alive()
        async with process(conninfo, work, others=["new"]):
            await eventually(lambda: work.has_started(2))
    assert work.started_keys == ["b", "a"]


async def test_an_unknown_job_is_an_error(conninfo: str) -> None:
    async with process(conninfo, RecordingJob()) as jobs:
        with pytest.raises(KeyError):
            await jobs.defer("idle", "a")


async def test_a_job_cancelled_at_the_end_is_queued_for_the_next_worker(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.jobs.postgres.DRAIN_SECONDS", 0.05)
    hangs, work = RecordingJob(), RecordingJob()
    async with process(conninfo, hangs) as jobs:
        await jobs.defer("work", "a")
        await eventually(lambda: hangs.has_started(1))
    assert hangs.concurrent == 0
    work.released.set()
    async with process(conninfo, work):
        await eventually(lambda: work.has_started(1))


async def test_a_job_that_is_cancelled_twice_at_the_end_is_not_lost(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By us and by procrastinate's worker: the second time while the first is being dealt with."""
    monkeypatch.setattr("sync.jobs.postgres.DRAIN_SECONDS", 0.05)
    monkeypatch.setattr("sync.jobs.postgres.SHUTDOWN_SECONDS", 0.1)
    hangs, work = RecordingJob(), RecordingJob()
    work.released.set()

    async def find_slowly(keys: Collection[str]) -> Mapping[str, str]:
        await asyncio.sleep(1)
        return await owner_in_key(keys)

    async with process(conninfo, RecordingJob(), works=False) as web:
        async with process(conninfo, hangs, find_owners=find_slowly):
            await web.defer("work", "a")
            await eventually(lambda: hangs.has_started(1))
        async with process(conninfo, work):
            await eventually(lambda: work.has_started(1))


class Noticed(RecordingJob):
    """It says at once that it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def __call__(self, key: str) -> None:
        self.begun.set()
        await super().__call__(key)


@asynccontextmanager
async def ending_worker(
    conninfo: str, work: Noticed, count: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A worker that has begun to run so many jobs, and waits for their end in order to end itself."""
    for name in ("DRAIN_SECONDS", "SHUTDOWN_SECONDS"):
        monkeypatch.setattr(f"sync.jobs.postgres.{name}", 600.0)
    async with AsyncExitStack() as stack, process(conninfo, RecordingJob(), works=False) as web:
        await web.defer_all((PUSH, f"tenant {number}/a") for number in range(count))
        await stack.enter_async_context(process(conninfo, work))
        await work.begun.wait()
        ending = asyncio.create_task(stack.aclose())
        try:
            yield
        finally:
            work.released.set()
            await ending


async def test_what_a_worker_has_started_and_does_not_run_any_more_because_it_ends_is_run_by_another(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it waits for what it does run: one search has started them all."""
    monkeypatch.setattr("sync.jobs.postgres.STALLED_AFTER", 3600.0)
    ends, work, count = Noticed(), RecordingJob(), 40
    work.released.set()
    async with ending_worker(conninfo, ends, count, monkeypatch), process(conninfo, work):
        await eventually(lambda: work.has_started(count - len(ends.started_keys)))
        assert not set(ends.started_keys) & set(work.started_keys)
        assert work.started_keys


async def test_a_worker_that_ends_is_not_taken_for_dead_while_it_waits_for_its_jobs(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(ending_worker(conninfo, Noticed(), 1, monkeypatch))
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
        await stack.enter_async_context(connection)
        await connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")

        async def is_recent() -> bool:
            query = "SELECT last_heartbeat > now() - interval '1 minute' FROM procrastinate_workers"
            return await (await connection.execute(query)).fetchall() == [(True,)]

        await eventually(is_recent)


async def test_jobs_that_fill_all_slots_do_not_delay_an_urgent_one(conninfo: str) -> None:
    work = RecordingJob()
    async with process(conninfo, work) as jobs:
        await jobs.defer_all(("work", f"{number}") for number in range(2 * SLOTS[ORDINARY]))
        await eventually(lambda: work.has_started(SLOTS[ORDINARY]))
        await jobs.defer(PUSH, "a")
        await eventually(lambda: work.has_started(SLOTS[ORDINARY] + 1))
        assert work.started_keys[-1] == "a"


@pytest.mark.parametrize("job", ["work", PUSH])
async def test_a_tenant_has_its_share_of_a_worker_and_no_more(conninfo: str, job: str) -> None:
    """The worker polls once a minute here: that the next job starts is due to the one that ended."""
    work = RecordingJob()
    async with process(conninfo, work, tick=60) as jobs:
        await eventually(lambda: is_listening(conninfo))
        noisy = [f"noisy/{number}" for number in range(3 * SHARE)]
        await jobs.defer_all((job, key) for key in noisy)
        await jobs.defer(job, "quiet/1")
        await eventually(lambda: work.has_started(SHARE + 1))
        assert sorted(work.started_keys) == sorted([*noisy[:SHARE], "quiet/1"])
        work.released.set()
        await eventually(lambda: is_empty(conninfo))
        assert set(work.started_keys) == {*noisy, "quiet/1"}
        assert work.max_concurrent == SHARE + 1


async def test_what_loses_its_cancellation_is_cancelled_again(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11's ``wait_for`` may lose one that comes with an error, such as a connection's end."""
    monkeypatch.setattr("sync.jobs.postgres.CANCEL_AGAIN", 0.05)

    async def lose_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(20), process(conninfo, RecordingJob()) as jobs:
        jobs._tasks.append(asyncio.create_task(lose_one()))
        await asyncio.sleep(0)


async def test_several_noisy_tenants_leave_slots_free_for_a_quiet_one(conninfo: str) -> None:
    work = RecordingJob()
    async with process(conninfo, work) as jobs:
        noisy, left = SLOTS[ORDINARY] // SHARE, SLOTS[ORDINARY] - RESERVED
        await jobs.defer_all(("work", f"noisy{number % noisy}/{number}") for number in range(60))
        await eventually(lambda: work.has_started(left))
        for name in ("quiet/1", "another/1"):
            await jobs.defer("work", name)
        await eventually(lambda: work.has_started(left + 2))
        assert work.started_keys[left:] == ["quiet/1", "another/1"]


async def test_the_jobs_of_an_earlier_release_are_run(conninfo: str) -> None:
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work, works=False) as jobs:
        await jobs.defer_all([("work", "noisy/1"), (PUSH, "noisy/2")])
        async with await psycopg.AsyncConnection.connect(conninfo) as connection:
            await connection.execute("UPDATE procrastinate_jobs SET queue_name = 'default'")
    async with process(conninfo, work):
        await eventually(lambda: work.has_started(2))


KILLED = """
import asyncio, sys
from random import Random
from prometheus_client import CollectorRegistry
from core.clock import utc_now
from core.metrics import Metrics
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig

async def hang(key):
    print("begun", flush=True)
    await asyncio.Event().wait()

async def main():
    config = QueueConfig(utc_now, Random(1), Metrics(CollectorRegistry()), 0.05)
    jobs = PostgresJobs(sys.stdin.readline().strip(), config)
    jobs.register("work", hang)
    async with jobs.running():
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def doomed(conninfo: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in its own process, whose job never ends."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, stdin=pipe, stdout=pipe, cwd=ROOT)
    assert process.stdin
    assert process.stdout
    process.stdin.write(conninfo.encode() + b"\n")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_job_of_a_killed_worker_is_taken_over_although_it_was_queued_again(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lock that ended with it: here its heartbeat is recent for an hour."""
    monkeypatch.setattr("sync.jobs.postgres.STALLED_AFTER", 3600.0)
    await create_tables(conninfo)
    work = RecordingJob()
    work.released.set()
    async with AsyncExitStack() as stack:
        jobs = await stack.enter_async_context(process(conninfo, RecordingJob(), works=False))
        killed = await stack.enter_async_context(doomed(conninfo))
        await jobs.defer("work", "a")
        assert killed.stdout
        assert await asyncio.wait_for(killed.stdout.readline(), 30) == b"begun\n"
        killed.kill()
        await jobs.defer("work", "a")
        await stack.enter_async_context(process(conninfo, work))
        await eventually(lambda: work.has_started(1))
        await eventually(lambda: is_empty(conninfo))


async def test_a_worker_that_hangs_is_taken_for_dead_and_does_not_hold_its_job_any_more(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its connection, so its lock: its heartbeat stops."""
    hangs, work = RecordingJob(), RecordingJob()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(conninfo))
        one = await stack.enter_async_context(process(conninfo, hangs))

        async def held() -> set[str]:
            return await database.transact(lambda transaction: one.held(transaction, "work", ["a", "b"]))

        await one.defer("work", "a")
        await eventually(lambda: hangs.has_started(1))
        assert await held() == {"a"}
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        another = await stack.enter_async_context(process(conninfo, work))
        await eventually(lambda: work.has_started(1))
        assert await held() == set()
        assert await another.alive()
        hangs.released.set()
        work.released.set()


async def test_a_worker_that_others_forgot_is_followed_by_another(conninfo: str) -> None:
    work = RecordingJob()
    work.released.set()
    async with process(conninfo, work) as jobs, await psycopg.AsyncConnection.connect(conninfo) as connection:
        await eventually(lambda: holds_its_locks(conninfo))
        await connection.execute("DELETE FROM procrastinate_workers")
        await connection.commit()
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))


async def test_a_worker_continues_after_the_database_closed_its_connections(conninfo: str) -> None:
    work = RecordingJob()
    async with process(conninfo, work) as jobs:
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        end_connections(conninfo)
        work.released.set()
        await jobs.defer("work", "b")
        await eventually(lambda: done(work, conninfo))
        assert await jobs.alive()
        await eventually(lambda: holds_its_locks(conninfo))


async def test_a_database_that_is_away_for_a_moment_ends_nothing_that_runs_and_delays_nothing_that_follows(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the worker would start again, for which it waits until what runs has ended, or ends it."""
    monkeypatch.setattr("sync.jobs.postgres.SHUTDOWN_SECONDS", 600.0)
    work = RecordingJob()
    async with AsyncExitStack() as stack:
        db_proxy = await stack.enter_async_context(proxy_to(conninfo))
        worker = await stack.enter_async_context(process(db_proxy.url, work))
        web = await stack.enter_async_context(process(conninfo, RecordingJob(), works=False))
        await web.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        await eventually(lambda: is_listening(conninfo))
        await db_proxy.cut()
        assert not await worker.alive()
        db_proxy.restore()
        await web.defer(PUSH, "b")
        await eventually(lambda: work.has_started(2))
        assert work.concurrent == 2
        work.released.set()
        await eventually(lambda: is_empty(conninfo))


async def test_what_is_queued_just_when_the_database_closes_its_connections_is_queued_once(conninfo: str) -> None:
    async with process(conninfo, RecordingJob(), works=False) as jobs:
        for key in "abc":
            end_connections(conninfo)
            await jobs.defer("work", key)
            end_connections(conninfo)
            await jobs.defer_all([("work", key), ("work", f"{key} too")])
        async with await psycopg.AsyncConnection.connect(conninfo) as connection:
            found = await (await connection.execute("SELECT args ->> 'key' FROM procrastinate_jobs")).fetchall()
    assert sorted(found) == [("a",), ("a too",), ("b",), ("b too",), ("c",), ("c too",)]


async def holds_its_locks(conninfo: str) -> bool:
    """Whether there is a lock for each worker that is registered."""
    query = """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND (classid::bigint << 32 | objid::bigint) - %s IN (SELECT id FROM procrastinate_workers)
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        return await (await connection.execute(query, [FIRST_LOCK])).fetchone() == (1,)


async def done(work: RecordingJob, conninfo: str) -> bool:
    return "b" in work.started_keys and await is_empty(conninfo)


async def test_several_processes_that_start_together_create_the_tables_once(conninfo: str) -> None:
    await asyncio.gather(*(create_tables(conninfo) for _ in range(5)))
    assert await is_empty(conninfo)


async def test_a_start_does_not_wait_for_those_who_write_to_the_queue(conninfo: str) -> None:
    await create_tables(conninfo)
    async with asyncio.timeout(10), await psycopg.AsyncConnection.connect(conninfo) as writer:
        await writer.execute("LOCK TABLE procrastinate_jobs IN ROW EXCLUSIVE MODE")
        await create_tables(conninfo)


async def test_a_queued_job_contains_only_a_name_and_an_id(conninfo: str) -> None:
    async with process(conninfo, RecordingJob(), works=False) as jobs:
        await jobs.defer("work", "an-id")
        async with await psycopg.AsyncConnection.connect(conninfo) as connection:
            row = await (await connection.execute("SELECT task_name, args FROM procrastinate_jobs")).fetchone()
    assert row == ("work", {"key": "an-id"})


@pytest.mark.timeout(60)
@pytest.mark.parametrize("later", [0.0, 0.4, 1.1])
async def test_the_queue_closes_while_its_database_is_unavailable(conninfo: str, later: float) -> None:
    work = RecordingJob()
    work.released.set()
    async with proxy_to(conninfo) as db_proxy, process(db_proxy.url, work) as jobs:
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        await db_proxy.cut()
        await asyncio.sleep(later)
    assert not [task for task in asyncio.all_tasks() if "_work" in str(task.get_coro())]
