"""The product with a store of so many people and a process of services beside it, to be measured.

``python -m tests.bench.product URL SERVICES KEY`` is a worker's process.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from random import Random
from time import process_time
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from sqlalchemy import insert

from core.clock import utc_now
from core.http.metrics import tracing
from core.logging import configure_logging
from core.metrics import Metrics
from sandbox.demo import free_port
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.tables.people import Person
from sync.domain.jobs import JobQueue
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig
from sync.phones.subscriptions import hashed
from sync.problems.clock_skew import ClockSkewMonitor
from tests.bench.processes.starting import processor_seconds
from tests.support.eventually import eventually
from tests.support.storage.stores import SQLITE, integration, person, with_secrets

WEBHOOK = "a-webhook"
NO_LIMIT = 1_000_000
TOGETHER = 10_000


@dataclass(frozen=True, slots=True)
class Setup:
    """``quota`` is in requests per 30 seconds."""

    people: int = 1000
    quota: int = NO_LIMIT


@asynccontextmanager
async def serving(handler: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{token}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{WEBHOOK}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running_peer(http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """The address of ``tests.bench.peer`` in a process of its own."""
    url = f"http://127.0.0.1:{(port := free_port(0))}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.peer", str(port))
    try:
        await eventually(lambda: _answers(http, url))
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.post(f"{url}/tenant/oauth2/v2.0/token"):
            return True
    except aiohttp.ClientError:
        return False


async def fill(database: Database, encryption: Encryption, setup: Setup) -> None:
    """One integration, whose webhook is ``WEBHOOK``; the numbers of its people are their extensions."""
    row = integration(
        tenant_id="11111111-1111-4111-8111-111111111111",
        client_id="22222222-2222-4222-8222-222222222222",
        webhook_token_hash=hashed(WEBHOOK),
        subscription_id="subscription",
        live_since=utc_now(),
        quota_limit=setup.quota,
    )
    with_secrets(row, encryption, client_secret_sealed="secret", cloudlink_secret_sealed="secret")
    async with database.writing() as session:
        session.add(row)
    alike = person("p").model_dump()
    for first in range(0, setup.people, TOGETHER):
        numbers = range(first, min(first + TOGETHER, setup.people))
        rows = [
            alike
            | {"id": f"p{n}", "cloudlink_user_id": f"user {n}", "extension": str(n), "teams_user_id": f"teams {n}"}
            for n in numbers
        ]
        async with database.writing() as session:
            await (await session.connection()).execute(insert(Person), rows)


def job_queue(database: Database, metrics: Metrics, works: bool) -> JobQueue:
    config = QueueConfig(utc_now, Random(1), metrics)
    if database.is_sqlite:
        return LocalJobs(config)
    return PostgresJobs(database.conninfo, config, works=works)


@asynccontextmanager
async def running_engine(
    url: str, services: str, key: str, *, works: bool = True, quota: int = NO_LIMIT
) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url))
        metrics = Metrics(CollectorRegistry())
        http = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[tracing(metrics)]))
        config = EngineConfig(services, services, services, presence_quota=quota)
        jobs, skew = job_queue(database, metrics, works), ClockSkewMonitor(utc_now)
        encryption = Encryption([key])
        yield await stack.enter_async_context(
            open_engine(config, database, encryption, http, utc_now, Random(1), metrics, jobs, skew)
        )


@dataclass(frozen=True, slots=True)
class Product:
    """The address of its webhook, and its processes but this one."""

    url: str
    workers: tuple[int, ...] = ()

    def processor_time(self) -> float:
        """Seconds, of all its processes."""
        return process_time() + sum(map(processor_seconds, self.workers))


@asynccontextmanager
async def running_product(url: str, services: str, setup: Setup) -> AsyncIterator[Product]:
    """On SQLite one process; on PostgreSQL this one receives, and a worker of its own sends."""
    key = Fernet.generate_key().decode()
    async with open_database(url) as database:
        await fill(database, Encryption([key]), setup)
    async with AsyncExitStack() as stack:
        workers: list[int] = []
        if not url.startswith(SQLITE):
            command = [sys.executable, "-m", "tests.bench.product", url, services, key]
            worker = await asyncio.create_subprocess_exec(*command)
            stack.callback(worker.terminate)
            workers.append(worker.pid)
        engine = await stack.enter_async_context(
            running_engine(url, services, key, works=not workers, quota=setup.quota)
        )
        webhook = await stack.enter_async_context(serving(engine.webhooks.receive))
        yield Product(webhook, tuple(workers))


async def work(url: str, services: str, key: str) -> None:
    """A worker's process, until it is ended."""
    configure_logging("info", "json", StringIO())
    async with running_engine(url, services, key):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
