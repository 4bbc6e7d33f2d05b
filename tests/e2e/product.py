"""The real product for end-to-end tests: the sandbox and ``app.py``, each in its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from sandbox.demo import bot_service, free_port, sandbox_service
from sandbox.processes import RunningService
from tests.support.forks import fork
from tests.support.services.sandboxes import Switchboard

START_SECONDS = 60.0


class Bot:
    """``app.py`` on its own data directory; it can be killed and started again."""

    def __init__(self, data: Path, logs: Path, sandbox_url: str) -> None:
        self.data = data
        self._logs = logs
        self._service = bot_service(free_port(0), sandbox_url, data)
        self._running: RunningService | None = None
        self.url = f"http://127.0.0.1:{self._service.port}"
        self.operations_url = f"http://127.0.0.1:{self._service.environment['OPERATIONS_PORT']}"

    async def start(self) -> None:
        self._running = await fork(self._service, self._logs)
        await self._running.wait_ready(START_SECONDS)

    async def kill(self) -> None:
        """Like a power cut: no signal handling, no clean end. The log so far is kept under another name."""
        assert self._running is not None
        self._running.process.kill()
        await self._running.process.wait()
        self._running.log.rename(self._running.log.with_suffix(".before.log"))

    async def stop(self) -> None:
        if self._running is not None:
            await self._running.stop()


@asynccontextmanager
async def running_product(directory: Path) -> AsyncIterator[tuple[Switchboard, Bot]]:
    """A new sandbox and a bot with empty data.

    Under ``directory``: ``bot/`` is the bot's data, ``logs/`` the output of all
    processes, ``world/`` the sandbox's data.
    """
    data, logs, world = (directory / name for name in ("bot", "logs", "world"))
    for each in (data, logs, world):
        each.mkdir()
    async with AsyncExitStack() as stack:
        process = await fork(sandbox_service(free_port(0), world), logs)
        stack.push_async_callback(process.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        sandbox = Switchboard(await process.wait_ready(START_SECONDS), http)
        bot = Bot(data, logs, sandbox.url)
        stack.push_async_callback(bot.stop)
        await bot.start()
        yield sandbox, bot


async def becomes(sandbox: Switchboard, extension: str, presence: str, seconds: float = 30) -> None:
    """Wait until Teams shows ``Availability/Activity`` for a person. Raises ``AssertionError`` when it is late."""
    seen = ""
    try:
        async with asyncio.timeout(seconds):
            while (seen := "/".join(await sandbox.shown(extension))) != presence:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"Teams shows {extension} as {seen}, not {presence}, after {seconds} s") from None
