"""Ready or not: while a real database is away, and once it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from storage.database import open_database
from storage.schema import migrate
from sync.jobs.local import LocalJobs
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
from tests.support.captured_log import captured_log
from tests.support.db_proxy import DatabaseProxy, proxy_to
from tests.support.eventually import eventually
from tests.support.postgres import fresh_database


@asynccontextmanager
async def watch_of(url: str, registry: CollectorRegistry, patience: float = 2.0) -> AsyncIterator[ReadinessProbe]:
    metrics = Metrics(registry)
    async with open_database(url) as database:
        await migrate(database)
        jobs = LocalJobs(utc_now, Random(1), metrics)
        async with jobs.running():
            watch = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics, patience)
            yield watch
            await watch.close()


@asynccontextmanager
async def on_postgres(
    registry: CollectorRegistry, patience: float = 2.0
) -> AsyncIterator[tuple[ReadinessProbe, DatabaseProxy]]:
    with fresh_database() as url:
        async with proxy_to(url) as db_proxy, watch_of(db_proxy.url, registry, patience) as watch:
            yield watch, db_proxy


def part(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value("cloudlink_presence_ready", {"part": name})


async def test_it_is_not_ready_while_postgresql_is_away_and_heals_by_itself() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (watch, db_proxy):
        assert await watch.ready()
        with captured_log() as log:
            await db_proxy.cut()
            for _ in range(3):
                assert not await watch.ready()
            assert (part(registry, "database"), part(registry, "jobs")) == (0, 1)
            db_proxy.restore()
            await eventually(watch.ready)
        assert part(registry, "database") == 1
        assert [line["event"] for line in log.lines()] == ["database_away", "database_back"]


async def test_a_database_that_does_not_answer_is_not_waited_for() -> None:
    async with on_postgres(CollectorRegistry(), patience=0.2) as (watch, db_proxy):
        await eventually(watch.ready)
        db_proxy.stall()
        async with asyncio.timeout(10):
            assert not await watch.ready()
        await db_proxy.cut()
        db_proxy.restore()
        await eventually(watch.ready)


async def test_measuring_goes_on_while_the_database_is_away() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (watch, db_proxy):
        await watch.measure()
        assert registry.get_sample_value("cloudlink_presence_jobs_waiting") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0
        await db_proxy.cut()
        await watch.measure()
        assert part(registry, "database") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0


async def test_it_is_not_ready_while_an_sqlite_file_cannot_be_opened(tmp_path: Path) -> None:
    folder, registry = tmp_path / "data", CollectorRegistry()
    folder.mkdir()
    metrics = Metrics(registry)
    async with open_database(f"sqlite:///{folder / 'presence.db'}") as database:
        jobs = LocalJobs(utc_now, Random(1), metrics)
        watch = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
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
        watch = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
        assert not await watch.ready()
        assert (part(registry, "database"), part(registry, "jobs")) == (1, 0)
