"""One run: a seeded store, real processes, traffic, a worker killed on the way, and what came of it."""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path
from random import Random
from time import monotonic

import aiohttp
from cryptography.fernet import Fernet

from sandbox.processes import Running, Service, start
from storage.sealing import Seal
from tests.load.fleet import Phone, Tenant, everybody, make_fleet
from tests.load.machine import Sample, postmaster_of, sample
from tests.load.seed import OWNER, seed
from tests.load.services import Services, serving
from tests.load.traffic import Traffic

ROOT = Path(__file__).parents[2]
STATUS_TEXT = "On the phone"
RESTART_AFTER = 20.0
"""Seconds until a killed worker is replaced: longer than it takes the others to take its work over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``calls_per_hour`` is for each person; ``warm_up`` seconds of traffic come before what is measured."""

    tenants: int = 1000
    people: int = 100
    workers: int = 2
    minutes: float = 3.0
    warm_up: float = 30.0
    calls_per_hour: float = 2.0
    talk: float = 90.0
    quota: int = 1500
    messages: bool = False
    kill: bool = True
    settle: float = 120.0

    @property
    def rate(self) -> float:
        """Calls a second, of everybody."""
        return self.tenants * self.people * self.calls_per_hour / 3600

    @property
    def seconds(self) -> float:
        return self.minutes * 60


@dataclass
class Outcome:
    """``late`` are the latencies while one worker was dead; ``wrong`` the people of whom Teams shows something else
    than their phone does, in the end."""

    plan: Plan
    before: Sample
    after: Sample
    counts: Mapping[str, int]
    accepted: list[float]
    latencies: list[float]
    late: list[float]
    wrong: list[Phone]
    settled_after: float | None
    failures: int
    notes: list[str] = field(default_factory=list)


async def run(plan: Plan, database_url: str, logs: Path) -> Outcome:
    fleet = make_fleet(plan.tenants, plan.people)
    services = Services(fleet, plan.quota)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(services))
        key, port = Fernet.generate_key().decode(), free_port()
        text = STATUS_TEXT if plan.messages else ""
        await seed(database_url, Seal([key]), fleet, f"http://127.0.0.1:{port}", text)
        environment = settings(plan, database_url, url, key, port)
        processes = await stack.enter_async_context(started(plan, environment, port, logs))
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200), cookie_jar=aiohttp.DummyCookieJar())
        )
        traffic = Traffic(fleet, plan.rate, plan.talk, http, Random(7))
        return await _measured(plan, fleet, services, traffic, processes, database_url)


async def _measured(
    plan: Plan,
    fleet: list[Tenant],
    services: Services,
    traffic: Traffic,
    processes: "Processes",
    database_url: str,
) -> Outcome:
    calls = asyncio.create_task(traffic.run(plan.warm_up + plan.seconds))
    await asyncio.sleep(plan.warm_up)
    postmaster = await asyncio.to_thread(postmaster_of, database_url)
    services.counts.clear()
    services.latencies.clear()
    traffic.counts.clear()
    traffic.accepted.clear()
    before = await asyncio.to_thread(sample, processes.pids(), database_url, postmaster)
    await asyncio.sleep(plan.seconds / 2)
    half = await asyncio.to_thread(sample, processes.pids(), database_url, postmaster)
    killed_at = monotonic()
    if plan.kill:
        await processes.kill_one()
        await asyncio.sleep(min(RESTART_AFTER, plan.seconds / 4))
        await processes.replace()
    rest = plan.seconds / 2 - (monotonic() - killed_at)
    await asyncio.sleep(max(0.0, rest))
    counts = services.counts + traffic.counts
    after = half if plan.kill else await asyncio.to_thread(sample, processes.pids(), database_url, postmaster)
    await calls
    ended = monotonic()
    settled = await _settled(fleet, plan.settle)
    gone_until = killed_at + RESTART_AFTER + 10
    is_late = [plan.kill and killed_at <= at <= gone_until for at, _ in services.latencies]
    pairs = list(zip(is_late, services.latencies, strict=True))
    wrong_counts = {name: services.counts[name] for name in services.counts}
    return Outcome(
        plan,
        before,
        after,
        {**counts, **{name: wrong_counts[name] for name in wrong_counts if name in ALARMS}},
        traffic.accepted,
        [took for late, (_, took) in pairs if not late],
        [took for late, (_, took) in pairs if late],
        [phone for phone in everybody(fleet) if phone.shown != phone.wanted],
        monotonic() - ended if settled else None,
        processes.failures(),
    )


ALARMS = ("requests over the quota", "requests for another tenant", "unexpected presences", "refused credentials")


async def _settled(fleet: list[Tenant], patience: float) -> bool:
    deadline = monotonic() + patience
    while any(phone.shown != phone.wanted for phone in everybody(fleet)):
        if monotonic() > deadline:
            return False
        await asyncio.sleep(0.25)
    return True


class Processes:
    """The product's processes: one web, some workers."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = environment
        self.running: dict[str, Running] = {}

    async def begin(self, role: str, name: str, port: int) -> None:
        service = Service(
            name,
            [sys.executable, str(ROOT / "app.py"), role],
            port,
            "/readyz",
            {**self._environment, "PORT": str(port)},
            self._logs,
        )
        self.running[name] = await start(service, self._logs)
        await self.running[name].wait_ready(60)

    def pids(self) -> dict[str, int]:
        return {"generator": getpid(), **{name: each.process.pid for name, each in self.running.items()}}

    async def kill_one(self) -> None:
        """The last worker, with SIGKILL."""
        name = max(self.running)
        self.running[name].process.kill()
        await self.running[name].process.wait()

    async def replace(self) -> None:
        name = max(self.running)
        await self.begin("worker", f"{name}, replaced", free_port())

    def failures(self) -> int:
        """Jobs that failed unexpectedly, by the logs."""
        return sum(each.log.read_text(errors="replace").count("job_failed") for each in self.running.values())


@asynccontextmanager
async def started(plan: Plan, environment: Mapping[str, str], port: int, logs: Path) -> AsyncIterator[Processes]:
    """One web process (or one that does everything, for no workers) and the workers, until the end."""
    processes = Processes(logs, environment)
    try:
        await processes.begin("web" if plan.workers else "serve", "web", port)
        for number in range(plan.workers):
            await processes.begin("worker", f"worker {number + 1}", free_port())
        yield processes
    finally:
        await asyncio.gather(*(each.stop() for each in processes.running.values()))


def settings(plan: Plan, database_url: str, services: str, key: str, port: int) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "DATA_DIR": tempfile.gettempdir(),
        "SECRET_KEYS": key,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ENTRA_URL": services,
        "GRAPH_URL": services,
        "CLOUDLINK_URL": f"{services}/{{service}}",
        "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true",
        "ADMINS": OWNER,
        "PRESENCE_QUOTA": str(plan.quota),
        "LOG_LEVEL": "warning",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
