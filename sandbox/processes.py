"""Services as child processes: started, awaited and stopped, each in its own process group."""

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

TAIL_LINES = 20
GRACE_SECONDS = 3.0
"""How long a service may take to stop before it is killed."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program that serves HTTP on loopback.

    ``port`` is its port, or a pattern whose first group finds the port in what it prints. It is ready when
    ``ready`` (a path) answers 200. ``environment`` is added to ours; ``directory`` is its working directory.
    """

    name: str
    command: Sequence[str]
    port: int | re.Pattern[str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path | None = None


class ServiceFailed(Exception):
    """A service stopped by itself or does not answer; the text says which, with the log's end."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A started service. All it prints goes to ``log``."""

    service: Service
    process: asyncio.subprocess.Process
    log: Path

    @property
    def url(self) -> str | None:
        """Its address; None until it has printed its port."""
        port = self.service.port
        if isinstance(port, re.Pattern):
            found = port.search(self.log.read_text(errors="replace"))
            return f"http://127.0.0.1:{found[1]}" if found else None
        return f"http://127.0.0.1:{port}"

    async def wait_ready(self, seconds: float) -> str:
        """Its address, once it responds. Raises ``ServiceFailed`` when it ends first or takes longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aiohttp.ClientSession() as http:
                while self.process.returncode is None:
                    if (url := self.url) and await _answers(http, url + self.service.ready):
                        return url
                    await asyncio.sleep(0.05)
                raise self.failure()
        raise ServiceFailed(f"{self.service.name} did not answer within {seconds:.0f} s.\n{self.tail()}")

    async def wait_end(self) -> ServiceFailed:
        """Wait until the service ends; return the failure that describes it."""
        await self.process.wait()
        return self.failure()

    def failure(self) -> ServiceFailed:
        return ServiceFailed(
            f"{self.service.name} ended by itself (exit code {self.process.returncode}).\n{self.tail()}"
        )

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"The end of {self.log}:", *(f"    {line}" for line in lines or ["(empty)"])])

    async def stop(self) -> None:
        """Stop the service and its children: SIGTERM first, SIGKILL after ``GRACE_SECONDS``."""
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


async def start(service: Service, logs: Path) -> RunningService:
    """Start a service with an empty log ``logs/<name>.log``. Raises ``ServiceFailed`` if it cannot be run."""
    log = logs / f"{service.name.lower()}.log"
    with log.open("wb") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *service.command,
                cwd=service.directory,
                env={**os.environ, **service.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceFailed(f"{service.name} could not be started: {error}") from None
    return RunningService(service, process, log)


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
