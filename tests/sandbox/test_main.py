"""``python -m sandbox`` as a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sandbox.__main__ import main
from tests.support.tools import ROOT


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and the address it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", *arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
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


Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Iterator[Refused]:
    """Starts it here with arguments that it refuses; returns what it said."""

    def start_in_vain(code: int, *arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            sys.exit(main(arguments))
        assert ended.value.code == code
        return capsys.readouterr().err

    before = os.umask(0o077)
    yield start_in_vain
    os.umask(before)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.com", ""])  # noqa: S104
def test_it_listens_on_loopback_only(refused: Refused, host: str) -> None:
    assert "loopback only" in refused(2, "--port", "0", "--host", host)


def test_a_damaged_state_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--state", str(tmp_path / "state.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert "state.json" in ended.stderr


def test_a_port_in_use_is_reported(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "address already in use" in refused(1, "--port", str(taken.getsockname()[1]))
