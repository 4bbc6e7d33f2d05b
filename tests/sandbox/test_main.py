"""``python -m sandbox`` as a process."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.tools import ROOT


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and the address it printed."""
    process = await start(*arguments)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert line.startswith("Sandbox listening on http://127.0.0.1:")
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_without_waiting_for_an_open_stream(tmp_path: Path, stop: signal.Signals) -> None:
    path = tmp_path / "state.json"
    async with (
        running("--port", "0", "--state", str(path)) as (process, url),
        aiohttp.ClientSession() as session,
        session.get(f"{url}/switchboard/events") as stream,
    ):
        await stream.content.readline()
        process.send_signal(stop)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_restart_continues_with_the_saved_state(tmp_path: Path) -> None:
    secrets = []
    for _ in range(2):
        async with running("--port", "0", "--state", str(tmp_path / "state.json")) as (process, url):
            async with aiohttp.ClientSession() as session, session.get(f"{url}/switchboard/state") as response:
                secrets.append((await response.json())["registration"]["secrets"][0]["value"])
            process.terminate()
            await process.wait()
    assert secrets[0] == secrets[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.com", ""])  # noqa: S104
async def test_it_listens_on_loopback_only(host: str) -> None:
    process = await start("--port", "0", "--host", host)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert b"loopback only" in errors


async def test_a_damaged_state_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    process = await start("--port", "0", "--state", str(tmp_path / "state.json"))
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"state.json" in errors
    assert b"Traceback" not in errors


async def test_a_port_in_use_is_reported() -> None:
    async with running("--port", "0") as (_, url):
        process = await start("--port", url.split(":")[-1])
        _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"address already in use" in errors
