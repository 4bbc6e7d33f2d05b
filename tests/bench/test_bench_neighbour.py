"""What the noisiest neighbour does to another tenant's changes, on PostgreSQL: printed (``pytest -s``)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import quantiles
from time import perf_counter

import aiohttp
import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from storage.encryption import Encryption
from sync.domain.jobs import PUSH
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig
from tests.load.fleet import Tenant, make_fleet
from tests.load.run import free_port, settings, started
from tests.load.seed import seed
from tests.load.services import Services, serving
from tests.load.traffic import Traffic
from tests.support.eventually import eventually
from tests.support.storage.postgres import fresh_database
from tests.support.sync.recording_job import owner_in_key

CHANGES = 100
INTEGRATIONS = 20
ORDINARY = ("poll", "match", "subscribe", "expiry")
QUOTA = 1500
TURNS, WINDOW, SETTLING = 4, 10.0, 4.0
"""Seconds of silence and of noise, in turns; a neighbour's calls need some seconds to become changes."""
QUIET_CALLS = 5.0
NOISY_CALLS = 25.0
"""A second: with three webhooks each, and what is polled, as much as a process can do."""


class Neighbours:
    """The quiet tenant's pushes end immediately; each job of the noisy one waits for a slow service."""

    def __init__(self) -> None:
        self.pushed = asyncio.Event()

    async def run(self, key: str) -> None:
        if key.startswith("noisy/"):
            await asyncio.sleep(0.5)
        else:
            self.pushed.set()


async def delays(jobs: PostgresJobs, neighbours: Neighbours) -> float:
    """The 99th percentile of the milliseconds from a change of the quiet tenant to its push."""
    took = []
    for _ in range(CHANGES):
        neighbours.pushed.clear()
        began = perf_counter()
        await jobs.defer(PUSH, "quiet/1")
        await asyncio.wait_for(neighbours.pushed.wait(), 60)
        took.append(1000 * (perf_counter() - began))
        await asyncio.sleep(0.02)
    return quantiles(took, n=100)[98]


async def make_noise(jobs: PostgresJobs) -> None:
    """All jobs of all the noisy tenant's integrations, again and again."""
    while True:
        await jobs.defer_all((job, f"noisy/{n}") for job in (PUSH, *ORDINARY) for n in range(INTEGRATIONS))
        await asyncio.sleep(0.2)


def fleet_of_neighbours() -> tuple[Tenant, list[Tenant]]:
    """A quiet tenant, and all integrations of a noisy one, whose CloudLink is slow."""
    quiet, *noisy = make_fleet(1 + INTEGRATIONS, people=200)
    for tenant in noisy:
        tenant.owner, tenant.answer_seconds = 1, 0.5
    return quiet, noisy


@asynccontextmanager
async def running_for(fleet: list[Tenant], logs: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """One web process and one worker on PostgreSQL."""
    key, port = Fernet.generate_key().decode(), free_port()
    with fresh_database() as database_url:
        async with serving(Services(fleet, QUOTA)) as url, aiohttp.ClientSession() as http:
            await seed(database_url, Encryption([key]), fleet, f"http://127.0.0.1:{port}", "")
            async with started(1, settings(QUOTA, database_url, url, key, port), port, logs):
                yield http


@pytest.mark.timeout(300)
async def test_a_noisy_neighbours_webhooks_and_polls_beside_a_quiet_ones_calls(tmp_path: Path) -> None:
    """Real processes: from the phone to Microsoft Graph, with all a neighbour may post, in turns with silence.

    One machine runs all of it, so only what is measured in turns is compared.
    """
    quiet, noisy = fleet_of_neighbours()
    alone, beside = list[float](), list[float]()
    async with running_for([quiet, *noisy], tmp_path) as http:

        async def listen(to: list[float]) -> None:
            quiet.latencies.clear()
            await asyncio.sleep(WINDOW)
            to += quiet.latencies

        calls = asyncio.create_task(
            Traffic([quiet], QUIET_CALLS, 1, http, Random(1)).run((TURNS * 2 + 1) * WINDOW + TURNS * SETTLING)
        )
        await asyncio.sleep(WINDOW)
        for turn in range(TURNS):
            await listen(alone)
            noise = asyncio.create_task(
                Traffic(noisy, NOISY_CALLS, 1, http, Random(2 + turn)).run(SETTLING + WINDOW)
            )
            await asyncio.sleep(SETTLING)
            await listen(beside)
            await noise
        await calls
        await eventually(lambda: all(phone.shown == phone.wanted for phone in quiet.phones))
        changes = sum(len(tenant.latencies) for tenant in noisy)
    print(f"\n{_described('alone', alone)}\n{_described('beside', beside)}, {changes} changes of the neighbour")
    print(f"p99 beside / alone: {_p(99, beside) / _p(99, alone):.1f}, p50: {_p(50, beside) / _p(50, alone):.1f}")


def _p(percentile: int, seconds: list[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percentile - 1]


def _described(name: str, seconds: list[float]) -> str:
    """In milliseconds."""
    found = ", ".join(f"p{each} {1000 * _p(each, seconds):.0f}" for each in (50, 90, 99))
    return f"phone to Graph {name}: {found} ms of {len(seconds)}"


async def test_a_noisy_neighbour_and_a_quiet_one() -> None:
    with fresh_database() as url:
        config = QueueConfig(utc_now, Random(1), Metrics(CollectorRegistry()), find_owners=owner_in_key)
        jobs, neighbours = PostgresJobs(url, config), Neighbours()
        for job in ORDINARY:
            jobs.register(job, neighbours.run)
        jobs.register(PUSH, neighbours.run, urgent=True)
        async with jobs.running():
            quiet = await delays(jobs, neighbours)
            noise = asyncio.create_task(make_noise(jobs))
            await asyncio.sleep(1)
            noisy = await delays(jobs, neighbours)
            noise.cancel()
    print(f"\nfrom change to push, p99: {quiet:.0f} ms quiet, {noisy:.0f} ms beside noise: {noisy / quiet:.1f} x")
