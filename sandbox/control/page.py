"""The switchboard's page, and the state of the world as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from aiohttp import web

from sandbox.control.guard import PREFIX
from sandbox.control.view import world_json
from sandbox.edge import WORLD
from sandbox.state import World

STOPPING = web.AppKey("stopping", asyncio.Event)

_FOLDER = Path(__file__).parent.parent
_PAGE = _FOLDER / "switchboard.html"
_STATIC = _FOLDER / "static"
_PLACEHOLDER = "<!doctype html><title>Switchboard</title><p>The page is not installed; see /switchboard/state.</p>"
_SHORTEST_GAP = 0.2
_AGEING_TICK = 1.0
_KEEP_ALIVE = 15


async def _page(request: web.Request) -> web.StreamResponse:
    if _PAGE.is_file():
        return web.FileResponse(_PAGE, headers={"Cache-Control": "no-store", "X-Frame-Options": "DENY"})
    return web.Response(text=_PLACEHOLDER, content_type="text/html")


@contextmanager
def _watching(world: World) -> Iterator[asyncio.Event]:
    """An event that is set whenever the world changes."""
    event = asyncio.Event()
    world.on_change.append(event.set)
    try:
        yield event
    finally:
        world.on_change.remove(event.set)


async def _messages(world: World, stopping: asyncio.Event) -> AsyncIterator[bytes]:
    """The state at first and whenever it differs, not oftener than five times a second; signs of life between."""
    last, quiet = b"", 0.0
    with _watching(world) as event:
        while not stopping.is_set():
            event.clear()
            state = orjson.dumps(world_json(world))
            if state != last:
                yield b"event: state\ndata: " + state + b"\n\n"
                last, quiet = state, 0.0
            elif quiet >= _KEEP_ALIVE:
                yield b": here\n\n"
                quiet = 0.0
            await asyncio.sleep(_SHORTEST_GAP)
            quiet += _SHORTEST_GAP + await _wait(event, stopping)


async def _wait(event: asyncio.Event, stopping: asyncio.Event) -> float:
    """Until a change, the end, or the next tick at which something may have aged; returns how long a tick is."""
    waits = [asyncio.create_task(each.wait()) for each in (event, stopping)]
    try:
        await asyncio.wait(waits, timeout=_AGEING_TICK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return _AGEING_TICK


async def _events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for message in _messages(request.app[WORLD], request.app[STOPPING]):
            await response.write(message)
    except ConnectionResetError:
        pass
    return response


def routes() -> list[web.AbstractRouteDef]:
    static = [web.static(f"{PREFIX}/static", _STATIC)] if _STATIC.is_dir() else []
    return [web.get(PREFIX, _page), web.get(f"{PREFIX}/events", _events), *static]
