import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.processes import Service, ServiceFailed, start

SERVE = """
import http.server, signal, subprocess, sys, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, os.environ.get("COLOUR"), os.getcwd(), flush=True)
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WITH_CHILD = "child = subprocess.Popen(['sleep', '60']); print('child', child.pid, flush=True)\n"
FOREVER = "server.serve_forever()\n"
SAYS_PORT = re.compile(r"^port (\d+)", re.MULTILINE)


def service(program: str, ready: str = "/ready", **more: object) -> Service:
    return Service("Tiny", (sys.executable, "-c", program), SAYS_PORT, ready, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_service_is_ready_once_it_answers_at_the_port_it_said(tmp_path: Path) -> None:
    tiny = await start(service(SERVE + FOREVER, environment={"COLOUR": "teal"}, directory=tmp_path), tmp_path)
    try:
        url = await tiny.wait_ready(10)
        assert (tmp_path / "tiny.log").read_text().split() == [
            "port",
            url.rpartition(":")[2],
            "teal",
            str(tmp_path),
        ]
    finally:
        await tiny.stop()
    assert not alive(tiny.process.pid)


async def test_a_service_that_ends_by_itself_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    tiny = await start(service("print('\\n'.join(f'line {n}' for n in range(50)))\nraise SystemExit(3)"), tmp_path)
    with pytest.raises(ServiceFailed) as failure:
        await tiny.wait_ready(10)
    said = str(failure.value).splitlines()
    assert said[0] == "Tiny ended by itself (exit code 3)."
    assert [line.strip() for line in said[2:]] == [f"line {n}" for n in range(30, 50)]
    assert str(await tiny.wait_end()) == str(failure.value)


async def test_a_service_that_never_answers_is_named(tmp_path: Path) -> None:
    tiny = await start(service(SERVE + FOREVER, ready="/elsewhere"), tmp_path)
    try:
        with pytest.raises(ServiceFailed, match="Tiny did not answer within 1 s"):
            await tiny.wait_ready(1)
    finally:
        await tiny.stop()


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match=r"Tiny could not be started: .*no-such-program"):
        await start(Service("Tiny", ("no-such-program",), 1, "/"), tmp_path)


async def test_a_service_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    tiny = await start(service(SERVE + STUBBORN + FOREVER), tmp_path)
    await tiny.wait_ready(10)
    await tiny.stop()
    assert not alive(tiny.process.pid)


async def test_what_a_service_started_ends_with_it(tmp_path: Path) -> None:
    tiny = await start(service(SERVE + WITH_CHILD + FOREVER), tmp_path)
    await tiny.wait_ready(10)
    found = re.search(r"child (\d+)", (tmp_path / "tiny.log").read_text())
    assert found is not None
    child = int(found[1])
    assert alive(child)
    await tiny.stop()
    async with asyncio.timeout(30):
        while alive(child):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_our_own_process_group_is_left_alone(tmp_path: Path) -> None:
    tiny = await start(service(SERVE + FOREVER), tmp_path)
    assert os.getpgid(tiny.process.pid) != os.getpgid(0)
    await tiny.stop()
