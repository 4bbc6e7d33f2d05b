"""``python -m sandbox.demo``: the whole product on this machine: the sandbox, the bot, and Microsoft's Playground.

It only starts and ends processes; the product is started the usual way, with ``app.py`` and settings.
"""

import argparse
import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import sample

from sandbox.processes import RunningService, Service, ServiceFailed, start

ROOT = Path(__file__).resolve().parent.parent
PLAYGROUND_CONFIG = ROOT / ".m365agentsplayground.yml"
PLAYGROUND_PROGRAM = ROOT / "node_modules/@microsoft/m365agentsplayground/cli.js"
PLAYGROUND_LISTENS = re.compile(r"^Listening on (\d+)$", re.MULTILINE)
OTHER_PORTS = range(20_000, 30_000)
"""Below those that systems use for outgoing connections, which could take one before it is listened on."""
LOOPBACK_ONLY = Path(__file__).with_name("loopback.cjs")
BOT_PORT, OPERATIONS_PORT, SANDBOX_PORT, PLAYGROUND_PORT = 3978, 3979, 3980, 56150
LEAST_NODE = 20
READY_SECONDS = 60.0
NO_PROXY = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM (exit code 0), or until a service fails (exit code 1)."""
    os.umask(0o077)
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.demo", description="The whole product on this machine."
    )
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="where everything is kept (default: data)")
    data: Path = parser.parse_args(arguments).data.resolve()
    return asyncio.run(run(data, missing_for_chat()))


def missing_for_chat() -> str:
    """What the Playground lacks on this machine, as a sentence with its remedy; empty when it lacks nothing."""
    node = shutil.which("node")
    if node is None:
        return f"Node.js is not here. Install Node.js {LEAST_NODE} or newer with npm (nodejs.org), and start again."
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < LEAST_NODE:
        return f"Node.js {LEAST_NODE} or newer is needed (nodejs.org has it); this is {version or 'unknown'}."
    if not PLAYGROUND_PROGRAM.exists():
        return "The Microsoft 365 Agents Playground is not installed. Run: npm ci"
    return ""


def missing_emoji_font() -> str:
    """That cards show boxes for icons on this machine, with the remedy; empty when it has a font, or cannot say."""
    fonts = shutil.which("fc-list")
    if fonts is None or subprocess.run([fonts, ":lang=und-zsye"], capture_output=True, check=False).stdout:  # noqa: S603
        return ""
    return "No emoji font here, so icons show as boxes. Debian, Ubuntu: apt install fonts-noto-color-emoji"


async def run(data: Path, missing: str) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    demonstration = asyncio.create_task(demonstrate(data, missing))
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait((demonstration, asked), return_when=asyncio.FIRST_COMPLETED)
    demonstration.cancel()
    asked.cancel()
    try:
        await demonstration
    except ServiceFailed as failure:
        print_now(f"\n{failure}\n\nThe demo has ended.")
        return 1
    except asyncio.CancelledError:
        print_now("\nThe demo has ended. What was set up is kept in the data directory.")
    return 0


async def demonstrate(data: Path, missing: str) -> None:
    """Start everything, print the addresses, and wait. Raises ``ServiceFailed`` when one of them ends."""
    logs = data / "logs"
    for directory in (data, logs):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    print_now(f"Starting the sandbox{' and the bot' if missing else ', the bot and the Teams-like client'} ...")
    async with running_services(services(data, chat=not missing), logs) as started:
        urls = await asyncio.gather(*(each.wait_ready(READY_SECONDS) for each in started))
        print_now(summary(dict(zip((each.service.name for each in started), urls, strict=True)), missing, logs))
        ends = [asyncio.create_task(each.wait_end()) for each in started]
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        raise done.pop().result()


@asynccontextmanager
async def running_services(wanted: Sequence[Service], logs: Path) -> AsyncIterator[list[RunningService]]:
    """The services, started; all are ended on leaving. Raises ``ServiceFailed`` when one cannot be run."""
    started: list[RunningService] = []
    try:
        for service in wanted:
            process = await start(service, logs)
            started.append(process)
        yield started
    finally:
        await asyncio.gather(*(each.stop() for each in started))


def services(data: Path, chat: bool) -> list[Service]:
    """What the demo consists of, on their usual ports or, where those are taken, on free ones."""
    sandbox, bot = free_port(SANDBOX_PORT), free_port(BOT_PORT)
    both = [sandbox_service(sandbox, data), bot_service(bot, f"http://127.0.0.1:{sandbox}", data)]
    return [*both, playground_service(PLAYGROUND_PORT, f"http://127.0.0.1:{bot}")] if chat else both


def sandbox_service(port: int, data: Path) -> Service:
    command = (sys.executable, "-m", "sandbox", "--port", str(port), "--state", str(data / "sandbox.json"))
    return Service("Sandbox", command, port, "/switchboard", NO_PROXY, ROOT)


def bot_service(port: int, sandbox_url: str, data: Path) -> Service:
    """``app.py`` against the sandbox. The settings of a production ``.env`` are blanked.

    Integrations start at the first feature version, so that there is an update to install.
    """
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "OPERATIONS_PORT": str(free_port(OPERATIONS_PORT if port == BOT_PORT else 0)),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATA_DIR": str(data),
        "ENTRA_URL": sandbox_url,
        "GRAPH_URL": sandbox_url,
        "CLOUDLINK_URL": f"{sandbox_url}/{{service}}",
        "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true",
        "ADMINS": administrator(),
        "LOG_FORMAT": "text",
        "FEATURE_VERSION": "1",
    }
    blank = dict.fromkeys(("DATABASE_URL", "SECRET_KEYS", "BOT_APP_ID", "BOT_TENANT_ID", "ALLOWED_TENANTS"), "")
    return Service("Bot", (sys.executable, "app.py"), port, "/healthz", {**blank, **settings, **NO_PROXY}, ROOT)


def playground_service(port: int, bot_url: str) -> Service:
    """Microsoft's Teams-like client. When ``port`` is taken (or 0) it picks another and prints it.

    Its own log would hold every activity, secrets typed into a card included (read in its source, 0.2.28): it gets
    a path that cannot exist, which it ignores.
    """
    command = ("node", "--require", str(LOOPBACK_ONLY), str(PLAYGROUND_PROGRAM), "start", "--disable-telemetry")
    options = ("-e", f"{bot_url}/api/messages", "-p", str(port), "-c", "msteams")
    environment = {
        "TEAMSAPPTESTER_BROWSER": "none",
        "M365_AGENTS_PLAYGROUND_CONFIG_PATH": str(PLAYGROUND_CONFIG),
        "M365_AGENTS_PLAYGROUND_LOGFILE": str(PLAYGROUND_CONFIG / "never"),
    }
    return Service("Chat", command + options, PLAYGROUND_LISTENS, "/_debug/ping", {**environment, **NO_PROXY}, ROOT)


def administrator() -> str:
    """The Entra object id of the Playground's current user, from its configuration."""
    current_user = PLAYGROUND_CONFIG.read_text().partition("currentUser:")[2]
    found = re.search(r"aadObjectId: *(\S+)", current_user)
    if found is None:
        raise ValueError(f"{PLAYGROUND_CONFIG.name} names no currentUser with an aadObjectId")
    return found[1]


def free_port(preferred: int) -> int:
    """``preferred``, or another free one when it is 0 or taken."""
    for port in (*([preferred] if preferred else []), *sample(OTHER_PORTS, 20)):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def summary(urls: dict[str, str], missing: str, logs: Path) -> str:
    """The text printed once the demo is running."""
    steps = [
        "1. In the chat, type:  setup integration   (em português:  configurar integração)",
        "2. Paste what it asks for: the values are on the switchboard.",
        "3. Let a phone ring on the switchboard, answer it, and watch Teams beside it.",
    ]
    lines = [
        "CloudLink Presence: the demo is running",
        "",
        f"Chat         {urls.get('Chat', 'not started, see below')}",
        f"Switchboard  {urls['Sandbox']}/switchboard",
        f"Bot          {urls['Bot']}",
        "",
        *([f"No chat: {missing}"] if missing else steps),
        *filter(None, [missing_emoji_font()]),
        "",
        f"Logs: {logs}   Ctrl-C ends all of it.",
    ]
    width = max(map(len, lines))
    edge = f"+{'-' * (width + 4)}+"
    return "\n".join([edge, *(f"|  {line:<{width}}  |" for line in lines), edge])


def print_now(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
