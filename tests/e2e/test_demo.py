"""What ``make demo`` starts, with the real services."""

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.demo import BOT_PORT
from sandbox.state import read_saved
from tests.support.tools import ROOT, require

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LOOPBACK = "0100007F"
ADDRESS = re.compile(r"(Chat|Switchboard|Bot) +(http://127\.0\.0\.1:(\d+)\S*)")


@asynccontextmanager
async def demo(data: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """The running demo; yields its process and its three addresses."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.demo", "--data", str(data)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process, await addresses(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def addresses(process: asyncio.subprocess.Process) -> dict[str, str]:
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(60):
        while "Ctrl-C" not in said:
            line = await process.stdout.readline()
            assert line, f"the demo ended:\n{said}"
            said += line.decode()
    return {name: url for name, url, _ in ADDRESS.findall(said)}


async def answers(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200, url
        return await response.text()


def listens_on(port: int) -> set[str]:
    """The addresses on which something listens on ``port``, as the kernel writes them."""
    rows = [
        row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        row[1].partition(":")[0] for row in rows if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port
    }


@pytest.fixture
def usual_port_is_taken() -> Iterator[None]:
    """The bot's usual port, in use by another program."""
    with suppress(OSError), socket.create_server(("127.0.0.1", BOT_PORT)):
        yield
        return
    yield


@pytest.mark.usefixtures("usual_port_is_taken")
async def test_the_demo_comes_up_keeps_its_state_and_ends_at_a_signal(tmp_path: Path) -> None:
    require("node")
    require("playground")
    async with demo(tmp_path / "data") as (process, urls):
        assert f":{BOT_PORT}" not in urls["Bot"]
        assert "alive" in await answers(f"{urls['Bot']}/healthz")
        assert "Agents Playground" in await answers(urls["Chat"])
        first = (await world(urls))["cloudlink"]
        ports = {int(url.split(":")[2].split("/")[0]) for url in urls.values()}
        assert len(ports) == 3
        assert [listens_on(port) for port in ports] == [{LOOPBACK}] * 3
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert [listens_on(port) for port in ports] == [set()] * 3
    kept = read_saved(tmp_path / "data/sandbox.json")
    assert kept
    assert kept.account.client_secret == first["clientSecret"]


async def world(urls: dict[str, str]) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(await answers(f"{urls['Switchboard']}/state"))
    return state
