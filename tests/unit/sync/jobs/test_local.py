import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from core.clock import Clock, utc_now
from core.metrics import Metrics
from sync.jobs.local import LocalJobs
from sync.jobs.runs import SHARE, QueueConfig
from tests.support.clocks import FakeClock
from tests.support.eventually import eventually
from tests.support.sync.recording_job import RecordingJob, owner_in_key


@asynccontextmanager
async def running_queue(clock: Clock, tick: float = 0.005) -> AsyncIterator[tuple[LocalJobs, RecordingJob]]:
    config = QueueConfig(clock, Random(1), Metrics(CollectorRegistry()), tick, find_owners=owner_in_key)
    jobs, work = LocalJobs(config), RecordingJob()
    jobs.register("work", work)
    jobs.register("urgent work", work, urgent=True)
    async with jobs.running():
        yield jobs, work


async def test_of_a_job_and_key_one_runs_and_one_waits() -> None:
    async with running_queue(FakeClock()) as (jobs, work):
        for _ in range(5):
            await jobs.defer("work", "a")
            await asyncio.sleep(0)
        assert work.started_keys == ["a"]
        work.released.set()
        await eventually(lambda: work.has_started(2))
        await asyncio.sleep(0.02)
        assert (work.started_keys, work.max_concurrent) == (["a", "a"], 1)


async def test_different_keys_run_concurrently() -> None:
    async with running_queue(FakeClock()) as (jobs, work):
        await jobs.defer("work", "a")
        await jobs.defer("work", "b")
        await eventually(lambda: work.has_started(2))
        assert work.max_concurrent == 2
        work.released.set()


async def test_a_timer_waits_for_its_time_and_does_not_delay_a_job_that_is_due() -> None:
    clock = FakeClock()
    async with running_queue(clock) as (jobs, work):
        work.released.set()
        await jobs.defer("work", "a", at=clock() + timedelta(hours=1))
        await jobs.defer("work", "a", at=clock() + timedelta(hours=2))
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        await asyncio.sleep(0.03)
        assert len(work.started_keys) == 1
        clock.advance(hours=1)
        await eventually(lambda: work.has_started(2))
        clock.advance(hours=2)
        await asyncio.sleep(0.03)
        assert len(work.started_keys) == 2


async def test_a_timer_set_while_the_timers_sleep_is_not_late() -> None:
    async with running_queue(utc_now, tick=1000) as (jobs, work):
        work.released.set()
        await jobs.defer("work", "later", at=utc_now() + timedelta(minutes=5))
        for _ in range(2):
            await asyncio.sleep(0.01)
            await jobs.defer("work", "soon", at=utc_now() + timedelta(milliseconds=20))
            await eventually(lambda: "soon" in work.started_keys)
            work.started_keys.clear()


async def test_a_failed_job_is_retried_later_and_the_errors_text_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    async with running_queue(clock) as (jobs, work):
        work.released.set()
        work.failures = 2
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
        await asyncio.sleep(0.03)
        assert len(work.started_keys) == 1
        clock.advance(seconds=2)
        await eventually(lambda: work.has_started(2))
        clock.advance(seconds=4)
        await eventually(lambda: work.has_started(3))
        clock.advance(hours=1)
        await asyncio.sleep(0.03)
        assert len(work.started_keys) == 3
    logged = capsys.readouterr().out
    assert "ValueError" in logged
    assert "secret" not in logged


async def test_a_job_deferred_before_the_queue_opens_is_run_and_an_unknown_job_is_an_error() -> None:
    config = QueueConfig(FakeClock(), Random(1), Metrics(CollectorRegistry()))
    jobs, work = LocalJobs(config), RecordingJob()
    jobs.register("work", work)
    work.released.set()
    await jobs.defer("work", "a")
    with pytest.raises(KeyError):
        await jobs.defer("idle", "a")
    async with jobs.running():
        await eventually(lambda: work.has_started(1))


async def test_closing_waits_for_running_jobs_and_then_cancels_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.jobs.local.DRAIN_SECONDS", 0.05)
    async with running_queue(FakeClock()) as (jobs, work):
        await jobs.defer("work", "a")
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
    assert (work.concurrent, work.started_keys) == (0, ["a"])
    assert not await jobs.alive()


async def test_a_clock_set_back_by_a_day_does_not_delay_a_timer_by_a_day() -> None:
    clock = FakeClock()
    async with running_queue(clock) as (jobs, work):
        await jobs.defer("work", "one", at=clock() + timedelta(seconds=10))
        await asyncio.sleep(0.02)
        clock.advance(days=-1)
        await asyncio.sleep(0.02)
        assert work.started_keys == []
        clock.advance(seconds=10)
        await eventually(lambda: work.has_started(1))
        work.released.set()


async def test_a_tenant_has_its_share_and_no_more_of_both_kinds_of_jobs() -> None:
    async with running_queue(FakeClock()) as (jobs, work):
        noisy = [f"noisy/{number}" for number in range(3 * SHARE)]
        await jobs.defer_all(("work", key) for key in noisy)
        await jobs.defer("work", "quiet/1")
        await jobs.defer("urgent work", "noisy/1")
        await eventually(lambda: work.has_started(SHARE + 2))
        assert work.started_keys == [*noisy[:SHARE], "quiet/1", "noisy/1"]
        assert await jobs.waiting() == 2 * SHARE
        work.released.set()
        await eventually(lambda: work.has_started(3 * SHARE + 2))
        assert work.started_keys[SHARE + 2 :] == noisy[SHARE:]


async def test_a_timer_and_a_retry_count_against_the_share() -> None:
    clock = FakeClock()
    async with running_queue(clock) as (jobs, work):
        for number in range(2 * SHARE):
            await jobs.defer("work", f"noisy/{number}", at=clock() + timedelta(minutes=1))
        clock.advance(minutes=1)
        await eventually(lambda: work.has_started(SHARE))
        await asyncio.sleep(0.03)
        assert work.concurrent == SHARE
        work.failures = 1
        work.released.set()
        await eventually(lambda: work.has_started(2 * SHARE))
        clock.advance(minutes=1)
        await eventually(lambda: work.has_started(2 * SHARE + 1))
