import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries.people import effects
from sync.domain.model import Delay
from sync.domain.reports import Figure
from sync.presence.delays import BUCKETS, MAX_PENDING, Delays, bucket_of, delay_of
from sync.presence.hours import counted
from tests.support.clocks import FakeClock
from tests.support.storage.stores import empty_store, integration, stored

pytestmark = pytest.mark.usefixtures("each_database")


async def read(database: Database, clock: FakeClock) -> Delay | None:
    async with database.session() as session:
        return await delay_of(session, "i1", clock())


async def test_half_and_95_percent_of_the_last_hour_of_all_processes(tmp_path: Path) -> None:
    clock = FakeClock()
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        processes = [Delays(database, clock), Delays(database, clock)]
        for number in range(100):
            seconds = 0.2 if number < 90 else 30.0
            processes[number % 2].observe([("i1", seconds), ("gone", seconds)])
        for process in processes:
            await process.flush()
        async with database.session() as session:
            (hour,) = (await counted(session, "i1", clock(), clock() + timedelta(hours=1))).hours()
        assert (hour.shown, hour.p50, hour.p95) == (0, None, None), "nothing is said of no calls"
        processes[0].count("i1", Figure.SHOWN)
        for process in processes:
            await process.flush()
        delay = await read(database, clock)
        assert delay
        assert (0.2 <= delay.p50 <= 0.24, 30 <= delay.p95 <= 36, delay.changes) == (True, True, 100)
        clock.advance(minutes=61)
        assert await read(database, clock) is None
        async with database.session() as session:
            day = await counted(session, "i1", clock() - timedelta(days=1), clock())
        assert (day.total(clock()).p50, day.total(clock()).p95) == (delay.p50, delay.p95)
        parts = day.parts(clock(), 8, 3)
        assert [part.p95 for part in parts] == [*[None] * 7, delay.p95]
        assert parts[-1].at == clock() - timedelta(hours=3, minutes=1) + timedelta(hours=1)
        async with database.writing() as session:
            await effects.delete_delays(session, int(clock().timestamp()))


async def test_while_the_store_is_away_the_counts_wait_and_stay_few(tmp_path: Path) -> None:
    clock = FakeClock()
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        delays = Delays(database, clock)
        delays.observe([("i1", 0.1)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "writing", _away)
            with pytest.raises(OSError, match="away"):
                await delays.flush()
        for number in range(MAX_PENDING + 10):
            delays.observe([(f"i{number}", 0.1)])
        await delays.flush()
        delay = await read(database, clock)
        assert delay
        assert delay.changes == 2


def _away() -> object:
    raise OSError("away")


async def test_counts_are_stored_while_it_runs_and_at_its_end(tmp_path: Path) -> None:
    clock, ticks = FakeClock(), asyncio.Queue[float]()

    async def sleep(seconds: float) -> None:
        await ticks.put(seconds)
        await ticks.join()

    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        delays = Delays(database, clock, sleep)
        delays.observe([("i1", 0.1)])
        async with delays.flushing():
            await ticks.get()
            ticks.task_done()
            await ticks.get()
            assert await read(database, clock)
            delays.observe([("i1", 0.1)])
        delay = await read(database, clock)
        assert delay
        assert delay.changes == 2


@pytest.mark.parametrize("seconds", [0, 0.01, 0.011, 1, 17, 3600, timedelta(days=9).total_seconds()])
def test_a_bucket_ends_at_most_a_fifth_later(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert 0 <= bucket < BUCKETS
    if 0.01 < seconds < 10_000:
        assert seconds <= 0.01 * 1.2**bucket <= seconds * 1.2 + 1e-9
