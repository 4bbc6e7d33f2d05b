import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from sync.jobs.local import LocalJobs
from tests.support.clocks import FakeClock
from tests.support.eventually import eventually
from tests.support.sync.recording_job import RecordingJob


@asynccontextmanager
async def at_work(clock: FakeClock) -> AsyncIterator[tuple[LocalJobs, RecordingJob]]:
    jobs, work = LocalJobs(clock, Random(1), Metrics(CollectorRegistry()), tick=0.005), RecordingJob()
    jobs.register("work", work)
    async with jobs.running():
        yield jobs, work


async def test_one_runs_one_waits_and_more_are_the_same_one() -> None:
    async with at_work(FakeClock()) as (jobs, work):
        for _ in range(5):
            await jobs.defer("work", "a")
            await asyncio.sleep(0)
        assert work.started_keys == ["a"]
        work.released.set()
        await eventually(lambda: work.has_started(2))
        await asyncio.sleep(0.02)
        assert (work.started_keys, work.max_concurrent) == (["a", "a"], 1)


async def test_different_keys_run_side_by_side() -> None:
    async with at_work(FakeClock()) as (jobs, work):
        await jobs.defer("work", "a")
        await jobs.defer("work", "b")
        await eventually(lambda: work.has_started(2))
        assert work.max_concurrent == 2
        work.released.set()


async def test_a_timer_waits_for_its_time_and_does_not_hold_up_work_that_is_due() -> None:
    clock = FakeClock()
    async with at_work(clock) as (jobs, work):
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


async def test_what_fails_is_tried_again_later_and_its_text_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    async with at_work(clock) as (jobs, work):
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
    told = capsys.readouterr().out
    assert "ValueError" in told
    assert "secret" not in told


async def test_work_deferred_before_it_opens_is_done_and_an_unknown_job_is_refused() -> None:
    jobs, work = LocalJobs(FakeClock(), Random(1), Metrics(CollectorRegistry())), RecordingJob()
    jobs.register("work", work)
    work.released.set()
    await jobs.defer("work", "a")
    with pytest.raises(KeyError):
        await jobs.defer("idle", "a")
    async with jobs.running():
        await eventually(lambda: work.has_started(1))


async def test_closing_waits_a_little_and_then_ends_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.jobs.local.PATIENCE", 0.05)
    async with at_work(FakeClock()) as (jobs, work):
        await jobs.defer("work", "a")
        await jobs.defer("work", "a")
        await eventually(lambda: work.has_started(1))
    assert (work.concurrent, work.started_keys) == (0, ["a"])
    assert not await jobs.alive()


async def test_a_clock_set_back_by_a_day_does_not_hold_a_timer_up_for_a_day() -> None:
    clock = FakeClock()
    async with at_work(clock) as (jobs, work):
        await jobs.defer("work", "one", at=clock() + timedelta(seconds=10))
        await asyncio.sleep(0.02)
        clock.advance(days=-1)
        await asyncio.sleep(0.02)
        assert work.started_keys == []
        clock.advance(seconds=10)
        await eventually(lambda: work.has_started(1))
        work.released.set()
