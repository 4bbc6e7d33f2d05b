"""An engine in another process that a test kills, and the checks after it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.gate import Gate
from tests.support.engines import KEY, running_engine
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle
from tests.support.tools import ROOT


@asynccontextmanager
async def worker(
    sandbox: SandboxHandle, graph_url: str, folder: Path, entra_url: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The engine in another process, killed at the end unless the test has killed it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdin
    assert process.stdout
    settings = {
        "entra_url": entra_url or sandbox.url,
        "graph_url": graph_url,
        "cloudlink_url": sandbox.cloudlink_url,
        "database": f"sqlite+aiosqlite:///{folder / 'presence.db'}",
        "key": KEY,
    }
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        while (line := await asyncio.wait_for(process.stdout.readline(), 60)) and line != b"ready\n":
            pass
        yield process
    finally:
        await kill(process)


async def kill(process: asyncio.subprocess.Process) -> None:
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
