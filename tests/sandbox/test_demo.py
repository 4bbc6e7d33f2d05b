import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox import demo
from sandbox.demo import (
    administrator,
    bot_service,
    free_port,
    missing_emoji_font,
    missing_for_chat,
    services,
    summary,
)
from sandbox.entra.registration import Registration
from tests.support.tools import ROOT, require

FAKES = """
import sys, time
from pathlib import Path
from sandbox import demo
from sandbox.processes import Service

TINY = '''
import http.server, sys, threading, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if sys.argv[2] == "dies": threading.Timer(0.5, lambda: (print("out of dial tone", flush=True), os._exit(4))).start()
server.serve_forever()
'''

def services(data, chat):
    ports = demo.free_port(0), demo.free_port(0)
    return [Service(name, (sys.executable, "-c", TINY, str(port), fate), port, "/")
            for name, port, fate in zip(("Sandbox", "Bot"), ports, ("lives", FATE))]

demo.services = services
demo.missing_for_chat = lambda: "Node.js is not here."
sys.exit(demo.main(["--data", sys.argv[1]]))
"""


@asynccontextmanager
async def fake_demo(data: Path, fate: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The demo's own program over two tiny services; ``fate`` is what happens to the second."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FAKES.replace("FATE", repr(fate)), str(data)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(60):
                await process.wait()


async def said_until(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(60):
        while text not in said:
            line = await process.stdout.readline()
            assert line, f"ended before saying {text!r}:\n{said}"
            said += line.decode()
    return said


def listening_ports(said: str) -> list[int]:
    return [
        int(line.rpartition("127.0.0.1:")[2].split("/")[0].strip(" |"))
        for line in said.splitlines()
        if "127.0.0.1:" in line
    ]


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_all_of_it(tmp_path: Path, number: signal.Signals) -> None:
    async with fake_demo(tmp_path / "data", "lives") as process:
        said = await said_until(process, "Ctrl-C")
        ports = listening_ports(said)
        assert len(ports) == 2
        assert all(map(accepts, ports))
        process.send_signal(number)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert not any(map(accepts, ports))


async def test_a_failed_service_is_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    async with fake_demo(tmp_path / "data", "dies") as process:
        said = await said_until(process, "The demo has ended.")
        async with asyncio.timeout(30):
            assert await process.wait() == 1
        assert "Bot ended by itself (exit code 4)." in said
        assert "out of dial tone" in said
        assert not any(map(accepts, listening_ports(said)))


async def test_the_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    async with fake_demo(tmp_path / "data", "lives") as process:
        await said_until(process, "Ctrl-C")
    for directory in (tmp_path / "data", tmp_path / "data" / "logs"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        other = free_port(number)
        assert other != number
    assert free_port(other) == other


def test_the_bot_is_started_by_settings_only_and_a_production_env_file_is_ignored(tmp_path: Path) -> None:
    bot = bot_service(3978, "http://127.0.0.1:3980", tmp_path)
    assert bot.command[1:] == ("app.py",)
    assert bot.environment["CLOUDLINK_URL"] == "http://127.0.0.1:3980/{service}"
    assert bot.environment["ADMINS"] == administrator()
    assert bot.environment["BOT_APP_ID"] == bot.environment["DATABASE_URL"] == ""
    assert "environment" not in repr(bot)


def test_the_administrator_is_the_playgrounds_current_user() -> None:
    text = demo.PLAYGROUND_CONFIG.read_text()
    assert administrator() in text.partition("currentUser:")[2].partition("users:")[0]


def test_the_playground_and_the_sandbox_are_one_tenant() -> None:
    assert f"tenantId: {Registration().tenant_id}\n" in demo.PLAYGROUND_CONFIG.read_text()


def test_without_node_the_rest_is_still_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Node.js is not here. Install Node.js 20" in missing_for_chat()
    assert [service.name for service in services(tmp_path, chat=False)] == ["Sandbox", "Bot"]


@pytest.mark.parametrize(
    ("version", "lack"), [("v18.19.0", "this is v18.19.0"), ("v20.0.0", "not installed. Run: npm ci")]
)
def test_an_old_node_and_a_missing_playground_have_different_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, lack: str
) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setattr(demo, "PLAYGROUND_PROGRAM", tmp_path / "cli.js")
    assert lack in missing_for_chat()


def test_a_machine_with_node_and_the_playground_lacks_nothing() -> None:
    require("node")
    require("playground")
    assert missing_for_chat() == ""


@pytest.mark.parametrize(("fonts", "lacks"), [("", True), ("NotoColorEmoji.ttf: Noto Color Emoji", False)])
def test_a_machine_without_an_emoji_font_is_said_to_show_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts: str, lacks: bool
) -> None:
    program = tmp_path / "fc-list"
    program.write_text(f"#!/bin/sh\n[ -z '{fonts}' ] || echo '{fonts}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert ("fonts-noto-color-emoji" in missing_emoji_font()) == lacks
    text = summary({"Sandbox": "http://127.0.0.1:1", "Bot": "http://127.0.0.1:2"}, "", Path("data/logs"))
    assert ("emoji" in text) == lacks


def test_the_summary_names_three_addresses_and_the_first_words_to_type() -> None:
    urls = {"Sandbox": "http://127.0.0.1:1", "Bot": "http://127.0.0.1:2", "Chat": "http://127.0.0.1:3"}
    said = summary(urls, "", Path("data/logs"))
    assert all(
        text in said
        for text in ("http://127.0.0.1:1/switchboard", ":2 ", ":3 ", "setup integration", "configurar integração")
    )
    assert len({len(line) for line in said.splitlines()}) == 1
    assert "No chat" not in said


def test_without_the_chat_the_summary_says_why_instead() -> None:
    urls = {"Sandbox": "http://127.0.0.1:1", "Bot": "http://127.0.0.1:2"}
    said = summary(urls, "Node.js is not here.", Path("data/logs"))
    assert "Chat         not started" in said
    assert "No chat: Node.js is not here." in said
    assert "In the chat, type" not in said
