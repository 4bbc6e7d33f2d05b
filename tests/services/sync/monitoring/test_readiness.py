"""Readiness while a real database is unavailable, and after it is available again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, event

from core.clock import utc_now
from core.metrics import Metrics
from storage.database import open_database
from storage.schema import migrate
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
from tests.support.captured_log import captured_log
from tests.support.eventually import eventually
from tests.support.storage.db_proxy import DatabaseProxy, proxy_to
from tests.support.storage.postgres import fresh_database


@asynccontextmanager
async def probe_of(url: str, registry: CollectorRegistry, seconds: float = 2.0) -> AsyncIterator[ReadinessProbe]:
    metrics = Metrics(registry)
    async with open_database(url) as database:
        await migrate(database)
        jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics))
        async with jobs.running():
            probe = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics, seconds)
            yield probe
            await probe.close()


@asynccontextmanager
async def on_postgres(
    registry: CollectorRegistry, seconds: float = 2.0
) -> AsyncIterator[tuple[ReadinessProbe, DatabaseProxy]]:
    with fresh_database() as url:
        async with proxy_to(url) as db_proxy, probe_of(db_proxy.url, registry, seconds) as probe:
            yield probe, db_proxy


@contextmanager
def disk() -> Iterator[SimpleNamespace]:
    """While it ``is_full``, databases can only be read."""
    of_all = SimpleNamespace(is_full=False)

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if of_all.is_full else 'OFF'}")

    event.listen(Engine, "begin", begin)
    try:
        yield of_all
    finally:
        event.remove(Engine, "begin", begin)


def part(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value("cloudlink_presence_ready", {"part": name})


async def test_it_is_not_ready_while_postgresql_is_unavailable_and_ready_again_afterwards() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (probe, db_proxy):
        assert await probe.ready()
        with captured_log() as log:
            await db_proxy.cut()
            for _ in range(3):
                assert not await probe.ready()
            assert (part(registry, "database"), part(registry, "jobs")) == (0, 1)
            db_proxy.restore()
            await eventually(probe.ready)
        assert part(registry, "database") == 1
        assert [line["event"] for line in log.lines()] == ["database_unavailable", "database_available"]


async def test_a_database_that_does_not_respond_times_out() -> None:
    async with on_postgres(CollectorRegistry(), seconds=0.2) as (probe, db_proxy):
        await eventually(probe.ready)
        db_proxy.stall()
        async with asyncio.timeout(60):
            assert not await probe.ready()
        await db_proxy.cut()
        db_proxy.restore()
        await eventually(probe.ready)


async def test_gauges_are_refreshed_while_the_database_is_unavailable() -> None:
    registry = CollectorRegistry()
    async with on_postgres(registry) as (probe, db_proxy):
        await probe.refresh_gauges()
        assert registry.get_sample_value("cloudlink_presence_jobs_waiting") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0
        await db_proxy.cut()
        await probe.refresh_gauges()
        assert part(registry, "database") == 0
        assert registry.get_sample_value("cloudlink_presence_integrations", {"state": "running"}) == 0


async def test_it_is_not_ready_while_an_sqlite_file_cannot_be_opened(tmp_path: Path) -> None:
    folder, registry = tmp_path / "data", CollectorRegistry()
    folder.mkdir()
    metrics = Metrics(registry)
    async with open_database(f"sqlite:///{folder / 'presence.db'}") as database:
        await migrate(database)
        await database.engine.dispose()
        jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics))
        probe = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
        async with jobs.running():
            folder.rename(tmp_path / "away")
            assert not await probe.ready()
            (tmp_path / "away").rename(folder)
            assert await probe.ready()


async def test_it_is_not_ready_before_the_job_queue_runs(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with open_database(f"sqlite:///{tmp_path / 'presence.db'}") as database:
        await migrate(database)
        jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics))
        probe = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
        assert not await probe.ready()
        assert (part(registry, "database"), part(registry, "jobs")) == (1, 0)


async def test_it_is_not_ready_while_the_database_can_only_be_read(tmp_path: Path) -> None:
    """As with a full disk: it answers questions, and nothing can be stored."""
    registry = CollectorRegistry()
    async with probe_of(f"sqlite:///{tmp_path / 'presence.db'}", registry) as probe:
        assert await probe.ready()
        with disk() as where, captured_log() as log:
            where.is_full = True
            assert not await probe.ready()
        assert "the disk is full or cannot be written" in log.text


async def test_that_nothing_can_be_stored_is_known_until_it_can_and_asked_only_when_in_doubt(
    tmp_path: Path,
) -> None:
    async with probe_of(f"sqlite:///{tmp_path / 'presence.db'}", CollectorRegistry()) as probe:
        with disk() as where:
            where.is_full = True
            assert await probe.store_fault(in_doubt=False) == ""
            assert await probe.store_fault(in_doubt=True) == "disk"
            assert await probe.store_fault(in_doubt=False) == "disk"
            where.is_full = False
            assert await probe.store_fault(in_doubt=False) == ""


async def test_a_part_that_is_watched_is_measured_and_takes_no_work_away(tmp_path: Path) -> None:
    """The bot's own secret has expired: what CloudLink sends must still come in. No answer counts as well."""
    answers = [True, False]

    async def check() -> bool:
        if not answers:
            await asyncio.sleep(60)
        return answers.pop(0)

    registry = CollectorRegistry()
    async with probe_of(f"sqlite:///{tmp_path / 'presence.db'}", registry, 0.5) as probe:
        probe.watch("bot", check)
        found = [(await probe.ready(), part(registry, "bot")) for _ in range(3)]
        assert found == [(True, 1), (True, 0), (True, 1)]
