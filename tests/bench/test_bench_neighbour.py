"""What the noisiest neighbour does to another tenant's changes, on PostgreSQL: printed (``pytest -s``)."""

import asyncio
from random import Random
from statistics import quantiles
from time import perf_counter

from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sync.domain.jobs import PUSH
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig
from tests.support.postgres import fresh_database
from tests.support.sync.recording_job import owner_in_key

CHANGES = 100
INTEGRATIONS = 20
ORDINARY = ("poll", "match", "subscribe", "expiry")


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
