"""What one change costs the processor, from its webhooks until its outcome is stored, against the least it could.

The least is a bare endpoint that parses the same bodies, stores them durably in groups, and sends a raw ``$batch``
of 20. Both are measured in turns, so that other work on the machine meets both alike: only the ratio counts.

``python -m tests.bench.change [sqlite|postgresql]`` prints it.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time, time
from typing import Any

import aiohttp
import orjson
import psycopg
from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.http.metrics import tracing
from core.logging import configure_logging
from core.metrics import Metrics
from sandbox.demo import free_port
from storage.database import Database, open_database
from storage.encryption import Encryption
from sync.domain.jobs import JobQueue
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig
from sync.phones.subscriptions import hashed
from sync.problems.clock_skew import ClockSkewMonitor
from tests.bench.change_load import Load
from tests.bench.test_bench_start import processor_seconds
from tests.support.eventually import eventually
from tests.support.storage.postgres import fresh_database, with_tables
from tests.support.storage.stores import SQLITE, integration, person, sqlite_with_tables, with_secrets

Insert = Callable[[Sequence[tuple[str, str]]], None]

PEOPLE = 1000
INSERT = "INSERT INTO floor_event VALUES (?, ?)"
WEBHOOK = "a-webhook"
PACE = 0.02
BATCH = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """``turns`` times ``changes`` for each of both, ``per_second``."""

    changes: int = 200
    per_second: float = 50
    turns: int = 5
    people: int = PEOPLE


class Floor:
    """The least that keeps the promises: parse, store durably what arrived within a moment, answer, send."""

    def __init__(self, insert: Insert, http: aiohttp.ClientSession, url: str) -> None:
        self._insert = insert
        self._http = http
        self._url = url
        self._arrived: list[tuple[tuple[str, str], asyncio.Future[None]]] = []
        self._changes: list[str] = []
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, request: web.Request) -> web.Response:
        event = orjson.loads(await request.read())["content"]
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append(((event["eventId"], event["endpointId"]), stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        await stored
        if event["state"] in {"connected", "ended"}:
            self._changes.append(event["userId"])
            if len(self._changes) >= BATCH:
                users, self._changes = self._changes, []
                await self._send(users)
        return web.Response(status=202)

    async def _store(self) -> None:
        while self._arrived:
            await asyncio.sleep(PACE)
            arrived, self._arrived = self._arrived, []
            await asyncio.to_thread(self._insert, [row for row, _ in arrived])
            for _, stored in arrived:
                stored.set_result(None)

    async def _send(self, users: Sequence[str]) -> None:
        requests = [
            {
                "id": str(number),
                "method": "POST",
                "url": f"/users/{user}/presence/setPresence",
                "headers": {"Content-Type": "application/json"},
                "body": {
                    "sessionId": "app",
                    "availability": "Busy",
                    "activity": "InACall",
                    "expirationDuration": "PT4H",
                },
            }
            for number, user in enumerate(users)
        ]
        async with self._http.post(self._url, data=orjson.dumps({"requests": requests})) as response:
            orjson.loads(await response.read())


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


async def fill(database: Database, encryption: Encryption, people: int) -> None:
    row = integration(
        tenant_id="11111111-1111-4111-8111-111111111111",
        client_id="22222222-2222-4222-8222-222222222222",
        webhook_token_hash=hashed(WEBHOOK),
        subscription_id="subscription",
        live_since=utc_now(),
        quota_limit=1_000_000,
    )
    with_secrets(row, encryption, client_secret_sealed="secret", cloudlink_secret_sealed="secret")
    async with database.writing() as session:
        session.add(row)
    async with database.writing() as session:
        for number in range(people):
            session.add(person(str(number), cloudlink_user_id=f"user {number}", extension=str(number)))


def job_queue(database: Database, metrics: Metrics, works: bool) -> JobQueue:
    config = QueueConfig(utc_now, Random(1), metrics)
    if database.is_sqlite:
        return LocalJobs(config)
    return PostgresJobs(database.conninfo, config, works=works)


@asynccontextmanager
async def running_engine(url: str, services: str, key: str, *, works: bool) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url))
        metrics = Metrics(CollectorRegistry())
        http = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[tracing(metrics)]))
        config = EngineConfig(services, services, services, presence_quota=1_000_000)
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
async def running_product(url: str, services: str, people: int) -> AsyncIterator[Product]:
    """On SQLite one process; on PostgreSQL this one receives, and a worker of its own sends."""
    key = Fernet.generate_key().decode()
    async with open_database(url) as database:
        await fill(database, Encryption([key]), people)
    async with AsyncExitStack() as stack:
        workers: list[int] = []
        if not url.startswith(SQLITE):
            command = [sys.executable, "-m", "tests.bench.change", "worker", url, services, key]
            worker = await asyncio.create_subprocess_exec(*command)
            stack.callback(worker.terminate)
            workers.append(worker.pid)
        engine = await stack.enter_async_context(running_engine(url, services, key, works=not workers))
        webhook = await stack.enter_async_context(serving(engine.webhooks.receive))
        yield Product(webhook, tuple(workers))


async def work(url: str, services: str, key: str) -> None:
    """A worker's process, until it is ended."""
    configure_logging("info", "json", StringIO())
    async with running_engine(url, services, key, works=True):
        await asyncio.Event().wait()


@contextmanager
def floor_store(url: str, folder: Path) -> Iterator[Insert]:
    """A durable insert of rows on the same kind of database."""
    connection: Any
    if url.startswith("sqlite"):
        connection, insert_row = sqlite3.connect(folder / "floor.db", check_same_thread=False), INSERT
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    else:
        connection, insert_row = psycopg.connect(url.replace("+psycopg", "")), INSERT.replace("?", "%s")
    connection.execute("CREATE TABLE floor_event (id text PRIMARY KEY, place text)")
    connection.commit()

    def insert(rows: Sequence[tuple[str, str]]) -> None:
        connection.cursor().executemany(insert_row, rows)
        connection.commit()

    yield insert
    connection.close()


@dataclass(slots=True)
class Measured:
    """Milliseconds of processor for a change, in each turn."""

    product: list[float]
    floor: list[float]

    def __str__(self) -> str:
        ratios = sorted(p / f for p, f in zip(self.product, self.floor, strict=True))
        return (
            f"a change costs {median(self.product):.2f} ms of processor, the least is {median(self.floor):.2f} ms: "
            f"{median(ratios):.1f} x ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


async def measure(url: str, folder: Path, plan: Plan) -> Measured:
    configure_logging("info", "json", StringIO())
    measured = Measured([], [])
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        peer = await stack.enter_async_context(running_peer(http))
        product = await stack.enter_async_context(running_product(url, peer, plan.people))
        insert = stack.enter_context(floor_store(url, folder))
        floor = Floor(insert, http, f"{peer}/v1.0/$batch")
        least = await stack.enter_async_context(serving(floor.receive))
        for turn in range(-1, plan.turns):
            for each, took in ((product, measured.product), (Product(least), measured.floor)):
                # turns of a person alternate: each load is a whole number of calls begun or ended
                load = Load(each.url, plan.changes, plan.per_second, plan.changes, turn + 1)
                began = each.processor_time()
                await http.post(f"{peer}/load", json=asdict(load), raise_for_status=True)
                if turn >= 0:
                    took.append(1000 * (each.processor_time() - began) / plan.changes)
    return measured


def main() -> None:
    kind, *rest = sys.argv[1:] or [SQLITE]
    if kind == "worker":
        asyncio.run(work(*rest))
        return
    plan = Plan()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if kind == SQLITE:
            print(kind, asyncio.run(measure(sqlite_with_tables(folder), folder, plan)))
            return
        with fresh_database(with_tables()) as url:
            print(kind, asyncio.run(measure(url, folder, plan)))


if __name__ == "__main__":
    began = time()
    main()
    print(f"{time() - began:.0f} s")
