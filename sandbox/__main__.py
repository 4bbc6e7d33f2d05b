"""``python -m sandbox --port N --state FILE``: the sandbox on this machine, until it is stopped."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web

from sandbox.server import make_app
from sandbox.state import UnreadableState, World, read_saved

_SHUTDOWN_SECONDS = 1.0


def _loopback(host: str) -> str:
    try:
        if host == "localhost" or ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("the sandbox listens on loopback only")


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8780, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--host", type=_loopback, default="127.0.0.1", help="a loopback address (default: %(default)s)"
    )
    parser.add_argument("--state", type=Path, help="the file that keeps the world over a restart")
    return parser.parse_args(given)


async def serve(world: World, host: str, port: int, state_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT; connected event streams do not hold it up."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    runner = web.AppRunner(make_app(world, state_file), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        shown = f"[{host}]" if ":" in host else host
        print(f"Sandbox listening on http://{shown}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main(given: Sequence[str] | None = None) -> int:
    os.umask(0o077)
    arguments = _arguments(given)
    try:
        world = World(saved=read_saved(arguments.state) if arguments.state else None)
        asyncio.run(serve(world, arguments.host, arguments.port, arguments.state))
    except (UnreadableState, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
