"""What the noisiest neighbour does to another tenant's changes, on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import quantiles

import aiohttp
from cryptography.fernet import Fernet

from sandbox.demo import free_port
from storage.encryption import Encryption
from tests.load.fleet import Tenant, make_fleet
from tests.load.run import settings, started
from tests.load.seed import seed
from tests.load.services import Services, serving
from tests.load.traffic import Traffic
from tests.support.eventually import eventually
from tests.support.storage.postgres import fresh_database

INTEGRATIONS = 20
QUOTA = 1500
TURNS, WINDOW, SETTLING = 4, 10.0, 4.0
"""Seconds of silence and of noise, in turns; a neighbour's calls need some seconds to become changes."""
QUIET_CALLS = 5.0
NOISY_CALLS = 25.0
"""A second: with three webhooks each, and what is polled, as much as a process can do."""


def fleet_of_neighbours() -> tuple[Tenant, list[Tenant]]:
    """A quiet tenant, and all integrations of a noisy one, whose CloudLink is slow."""
    quiet, *noisy = make_fleet(1 + INTEGRATIONS, people=200)
    for tenant in noisy:
        tenant.owner, tenant.answer_seconds = 1, 0.5
    return quiet, noisy


@asynccontextmanager
async def running_for(fleet: list[Tenant], logs: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """One web process and one worker on PostgreSQL."""
    key, port = Fernet.generate_key().decode(), free_port(0)
    with fresh_database() as database_url:
        async with serving(Services(fleet, QUOTA)) as url, aiohttp.ClientSession() as http:
            await seed(database_url, Encryption([key]), fleet, f"http://127.0.0.1:{port}", "")
            async with started(1, settings(QUOTA, database_url, url, key, port), port, logs):
                yield http


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds from the phone to Microsoft Graph, of the quiet tenant; ``changes`` counts the neighbour's."""

    alone: list[float]
    beside: list[float]
    changes: int

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles."""
        return _p(99, self.beside) / _p(99, self.alone)

    def __str__(self) -> str:
        return f"{_described('alone', self.alone)}, {_described('beside', self.beside)}, {self.changes} changes"


async def measure(folder: Path) -> Found:
    """Real processes, with all a neighbour may post, in turns with silence.

    One machine runs all of it, so only what is measured in turns is compared.
    """
    quiet, noisy = fleet_of_neighbours()
    alone, beside = list[float](), list[float]()
    async with running_for([quiet, *noisy], folder) as http:

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
    return Found(alone, beside, changes)


def _p(percentile: int, seconds: list[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percentile - 1]


def _described(name: str, seconds: list[float]) -> str:
    """In milliseconds."""
    found = ", ".join(f"p{each} {1000 * _p(each, seconds):.0f}" for each in (50, 90, 99))
    return f"{name} {found} ms"
