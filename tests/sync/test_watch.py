"""Ready or not: while a real database is away, and once it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from storage.database import open_database
from storage.schema import migrate
from sync.census import Census
from sync.clock import utc_now
from sync.jobs import LocalJobs
from sync.metrics import Metrics
from sync.watch import Watch
from tests.cables import Cable, cable_to
from tests.eventually import eventually
from tests.logged import logged
from tests.postgres import fresh_database


@asynccontextmanager
async def watch_of(url: str, registry: CollectorRegistry, patience: float = 2.0) -> AsyncIterator[Watch]:
    metrics = Metrics(registry)
    async with open_database(url) as database:
        await migrate(database)
        jobs = LocalJobs(utc_now, Random(1), metrics)
        async with jobs.running():
            watch = Watch(database, jobs, Census(database, metrics, utc_now), metrics, patience)
            yield watch
            await watch.close()


@asynccontextmanager
async def on_postgres(registry: CollectorRegistry, patience: float = 2.0) -> AsyncIterator[tuple[Watch, Cable]]:
    with fresh_database() as url:
        async with cable_to(url) as cable, watch_of(cable.url, registry, patience) as watch:
            yield watch, cable


def part(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value("cloudlink_presence_ready", {"part": name})


async def test_it_is_not_ready_while_postgresql_is_away_and_heals_by_itself() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (watch, cable):
        assert await watch.ready()
        with logged() as log:
            await cable.cut()
            for _ in range(3):
                assert not await watch.ready()
            assert (part(registry, "database"), part(registry, "jobs")) == (0, 1)
            cable.mend()
            await eventually(watch.ready)
        assert part(registry, "database") == 1
        assert [line["event"] for line in log.lines()] == ["database_away", "database_back"]


async def test_a_database_that_does_not_answer_is_not_waited_for() -> None:
    async with on_postgres(CollectorRegistry(), patience=0.2) as (watch, cable):
        await eventually(watch.ready)
        cable.hold()
        async with asyncio.timeout(10):
            assert not await watch.ready()
        await cable.cut()
        cable.mend()
        await eventually(watch.ready)


async def test_measuring_goes_on_while_the_database_is_away() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (watch, cable):
        await watch.measure()
        assert registry.get_sample_value("cloudlink_presence_jobs_waiting") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0
        await cable.cut()
        await watch.measure()
        assert part(registry, "database") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0


async def test_it_is_not_ready_while_an_sqlite_file_cannot_be_opened(tmp_path: Path) -> None:
    folder, registry = tmp_path / "data", CollectorRegistry()
    folder.mkdir()
    metrics = Metrics(registry)
    async with open_database(f"sqlite:///{folder / 'presence.db'}") as database:
        jobs = LocalJobs(utc_now, Random(1), metrics)
        watch = Watch(database, jobs, Census(database, metrics, utc_now), metrics)
        async with jobs.running():
            folder.rename(tmp_path / "away")
            assert not await watch.ready()
            (tmp_path / "away").rename(folder)
            assert await watch.ready()


async def test_it_is_not_ready_before_jobs_are_done(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with open_database(f"sqlite:///{tmp_path / 'presence.db'}") as database:
        jobs = LocalJobs(utc_now, Random(1), metrics)
        watch = Watch(database, jobs, Census(database, metrics, utc_now), metrics)
        assert not await watch.ready()
        assert (part(registry, "database"), part(registry, "jobs")) == (1, 0)
