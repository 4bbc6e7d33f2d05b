"""One run: a seeded store, real processes, traffic, a worker killed during it, and the outcome."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from random import Random
from time import monotonic

import aiohttp
from cryptography.fernet import Fernet

from sandbox.demo import free_port
from sandbox.processes import RunningService, Service
from storage.encryption import Encryption
from tests.load.fleet import Phone, Tenant, all_phones, make_fleet
from tests.load.machine import Sample, postmaster_of, sample
from tests.load.seed import OWNER, seed
from tests.load.services import Services, serving
from tests.load.traffic import Traffic
from tests.support.forks import fork
from tests.support.tools import ROOT

STATUS_TEXT = "On the phone"
RESTART_AFTER = 20.0
"""Seconds until a killed worker is replaced: longer than the others need to take over its work."""


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
        """Calls per second over all people."""
        return self.tenants * self.people * self.calls_per_hour / 3600

    @property
    def seconds(self) -> float:
        return self.minutes * 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """``before`` and ``half`` are the machine while nothing was killed.

    ``late`` are the latencies while a worker was dead, ``latencies`` the others. ``wrong`` are the people of whom
    Teams shows something else than their phone does, in the end; ``settled_after`` is the time from the
    last event until there were none, None for never. ``failures`` are jobs that failed.
    """

    plan: Plan
    before: Sample
    half: Sample
    counts: Mapping[str, int]
    accepted: list[float]
    latencies: list[float]
    late: list[float]
    wrong: list[Phone]
    settled_after: float | None
    failures: int

    @property
    def alarms(self) -> dict[str, int]:
        """The failures of the run."""
        found = {name: self.counts.get(name, 0) for name in ALARMS} | {"wrong in the end": len(self.wrong)}
        return {name: count for name, count in found.items() if count}


ALARMS = (
    "requests over the quota",
    "requests for another tenant",
    "unexpected presences",
    "refused credentials",
    "refused tokens",
    "webhooks given up",
)


async def run(plan: Plan, database_url: str, logs: Path) -> Outcome:
    fleet = make_fleet(plan.tenants, plan.people)
    services = Services(fleet, plan.quota)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(services))
        key, port = Fernet.generate_key().decode(), free_port(0)
        text = STATUS_TEXT if plan.messages else ""
        await seed(database_url, Encryption([key]), fleet, f"http://127.0.0.1:{port}", text)
        environment = settings(plan.quota, database_url, url, key, port)
        processes = await stack.enter_async_context(started(plan.workers, environment, port, logs))
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
    postmaster = await asyncio.to_thread(postmaster_of, database_url)

    async def take_sample() -> Sample:
        return await asyncio.to_thread(sample, processes.pids(), database_url, postmaster)

    calls = asyncio.create_task(traffic.run(plan.warm_up + plan.seconds))
    await asyncio.sleep(plan.warm_up)
    services.forget()
    traffic.forget()
    before = await take_sample()
    await asyncio.sleep(plan.seconds / 2)
    half = await take_sample()
    dead_from, dead_until = await _replace_killed_worker(plan, processes) if plan.kill else (0.0, 0.0)
    await calls
    settled_after = await _settled(fleet, plan.settle)
    return Outcome(
        plan,
        before,
        half,
        services.counts + traffic.counts,
        traffic.accepted,
        [took for at, took in services.latencies if not dead_from <= at <= dead_until],
        [took for at, took in services.latencies if dead_from <= at <= dead_until],
        [phone for phone in all_phones(fleet) if phone.shown != phone.wanted],
        settled_after,
        processes.failures(),
    )


async def _replace_killed_worker(plan: Plan, processes: "Processes") -> tuple[float, float]:
    """Kill a worker and replace it after a while; returns the start and end of the gap."""
    died_at = monotonic()
    await processes.kill_one()
    await asyncio.sleep(min(RESTART_AFTER, plan.seconds / 4))
    await processes.replace()
    return died_at, monotonic()


async def _settled(fleet: list[Tenant], patience: float) -> float | None:
    """The time until Teams shows every phone's state; None if longer than ``patience``."""
    began = monotonic()
    while any(phone.shown != phone.wanted for phone in all_phones(fleet)):
        if monotonic() - began > patience:
            return None
        await asyncio.sleep(0.25)
    return monotonic() - began


class Processes:
    """The product's processes: one web, some workers."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = environment
        self.running: dict[str, RunningService] = {}

    async def begin(self, role: str, name: str, port: int) -> None:
        ports = {"PORT": str(port), "OPERATIONS_PORT": "0"} if role != "worker" else {"OPERATIONS_PORT": str(port)}
        service = Service(
            name,
            [sys.executable, str(ROOT / "app.py"), role],
            port,
            "/healthz",
            {**self._environment, **ports},
            self._logs,
        )
        self.running[name] = await fork(service, self._logs)
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
        await self.begin("worker", f"{name}, replaced", free_port(0))

    def failures(self) -> int:
        """Jobs that failed unexpectedly, by the logs."""
        return sum(each.log.read_text(errors="replace").count("job_failed") for each in self.running.values())


@asynccontextmanager
async def started(workers: int, environment: Mapping[str, str], port: int, logs: Path) -> AsyncIterator[Processes]:
    """One web process (or one that does everything, for no workers) and the workers, until the end."""
    processes = Processes(logs, environment)
    try:
        await processes.begin("web" if workers else "serve", "web", port)
        for number in range(workers):
            await processes.begin("worker", f"worker {number + 1}", free_port(0))
        yield processes
    finally:
        await asyncio.gather(*(each.stop() for each in processes.running.values()))


def settings(quota: int, database_url: str, services: str, key: str, port: int) -> dict[str, str]:
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
        "PRESENCE_QUOTA": str(quota),
        "LOG_LEVEL": "warning",
    }
