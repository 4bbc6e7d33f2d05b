"""The switchboard's page, and the state of the world as server-sent events."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import orjson
from aiohttp import web

from sandbox.control.guard import PREFIX
from sandbox.control.view import world_json
from sandbox.http import WORLD
from sandbox.state import World

STOPPING = web.AppKey("stopping", asyncio.Event)

_FOLDER = Path(__file__).parent.parent
_PAGE = _FOLDER / "switchboard.html"
_STATIC = _FOLDER / "static"
_PLACEHOLDER = "<!doctype html><title>Switchboard</title><p>The page is not installed; see /switchboard/state.</p>"
NONE = "'none'"
_SHORTEST_GAP = 0.2
_AGEING_TICK = 1.0
_KEEP_ALIVE = 15


async def _page(request: web.Request) -> web.StreamResponse:
    page = _PAGE.read_text(encoding="utf-8") if _PAGE.is_file() else _PLACEHOLDER
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": content_security_policy(page),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return web.Response(text=page, content_type="text/html", headers=headers)


def content_security_policy(page: str) -> str:
    """What a browser lets the page do: its own inline scripts and styles, by their hashes, and requests to us."""
    scripts, styles = (" ".join(_hashes(page, element)) for element in ("script", "style"))
    return (
        f"default-src 'none'; script-src {scripts or NONE}; style-src {styles or NONE}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hashes(page: str, element: str) -> Iterator[str]:
    for content in re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL):
        yield f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


@contextmanager
def _change_event(world: World) -> Iterator[asyncio.Event]:
    """An event that is set whenever the state changes."""
    event = asyncio.Event()
    world.on_change.append(event.set)
    try:
        yield event
    finally:
        world.on_change.remove(event.set)


async def _messages(world: World, stopping: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The state at first and whenever it differs, at most five times a second; keep-alive comments in between."""
    last, quiet = b"", 0.0
    with _change_event(world) as changed:
        while not stopping.is_set():
            changed.clear()
            state = orjson.dumps(world_json(world))
            if state != last:
                yield b"event: state\ndata: " + state + b"\n\n"
                last, quiet = state, 0.0
            elif quiet >= _KEEP_ALIVE:
                yield b": here\n\n"
                quiet = 0.0
            await asyncio.sleep(_SHORTEST_GAP)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _AGEING_TICK)
            quiet += _AGEING_TICK


async def _events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    async with aclosing(_messages(request.app[WORLD], request.app[STOPPING])) as messages:
        with suppress(ConnectionResetError):
            async for message in messages:
                await response.write(message)
    return response


def routes() -> list[web.AbstractRouteDef]:
    static = [web.static(f"{PREFIX}/static", _STATIC)] if _STATIC.is_dir() else []
    return [web.get(PREFIX, _page), web.get(f"{PREFIX}/events", _events), *static]
