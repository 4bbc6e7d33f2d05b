"""An engine in another process that a test kills, and the checks after it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.chaos.gate import Gate
from tests.chaos.worker import run
from tests.support.engines import KEY, QUICK, running_engine
from tests.support.eventually import eventually
from tests.support.forks import ForkedProcess, forked
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle


@asynccontextmanager
async def worker(
    sandbox: SandboxHandle, graph_url: str, folder: Path, entra_url: str = ""
) -> AsyncIterator[ForkedProcess]:
    """The engine in another process, killed at the end unless the test has killed it."""
    settings = {
        "entra_url": entra_url or sandbox.url,
        "graph_url": graph_url,
        "cloudlink_url": sandbox.cloudlink_url,
        "database": f"sqlite+aiosqlite:///{folder / 'presence.db'}",
        "key": KEY,
    }
    log = folder / "worker.log"
    process = await forked(partial(run, settings, QUICK), log, dict(os.environ))
    try:
        await eventually(lambda: log.read_text().startswith("ready") or process.returncode is not None)
        yield process
    finally:
        await kill(process)


async def kill(process: ForkedProcess) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def store_integration(sandbox: SandboxHandle, folder: Path) -> None:
    """A store with an enabled, matched integration in it."""
    async with running_engine(sandbox, folder, webhooks=False) as running:
        await running.connect()
        await running.wait_until_sent()


async def is_held(gate: Gate) -> bool:
    return gate.held > 0


async def presence_matches_phones(sandbox: SandboxHandle, extensions: list[str]) -> bool:
    """Whether Teams shows a call for exactly the people in one."""
    people = {person["key"]: person for person in (await sandbox.state())["people"]}
    for extension in extensions:
        phone = sandbox.world.person(extension)
        assert phone is not None
        shown = people[extension]["teams"]["shown"]
        if bool(phone.phone.calls) != ((shown["availability"], shown["activity"]) == IN_A_CALL):
            return False
    return True
