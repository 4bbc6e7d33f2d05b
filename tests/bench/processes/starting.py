"""From nothing to ready, and from SIGTERM to the end, against what importing the libraries takes."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import aiohttp

from sandbox.demo import bot_service, free_port
from sandbox.processes import start
from tests.support.services.sandboxes import running_sandbox

STARTS = 3
LIBRARIES = "import aiohttp, sqlmodel, botbuilder.core, microsoft_teams.cards, structlog, pydantic_settings"
"""The product's required imports; their time shows how fast the machine is now."""


def importing_seconds() -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return perf_counter() - began


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds; ``busy`` ones of the processor until it is ready."""

    ready: float
    busy: float
    ended: float
    libraries: float

    def __str__(self) -> str:
        return f"ready after {self.ready:.2f} s ({self.busy:.2f} s of processor), ended after {self.ended:.2f} s"


async def measure(folder: Path) -> Found:
    ready, busy, ended = [], [], []
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        for _ in range(STARTS):
            began = perf_counter()
            running = await start(bot_service(free_port(0), sandbox.url, folder), folder)
            async with asyncio.timeout(60):
                while not await answers(http, f"{running.url}/healthz"):  # noqa: ASYNC110 a process has no event for it
                    await asyncio.sleep(0.005)
            ready.append(perf_counter() - began)
            busy.append(processor_seconds(running.process.pid))
            began = perf_counter()
            running.process.terminate()
            assert await asyncio.wait_for(running.process.wait(), 60) == 0
            ended.append(perf_counter() - began)
    libraries = median(importing_seconds() for _ in range(STARTS))
    return Found(median(ready), median(busy), median(ended), libraries)
