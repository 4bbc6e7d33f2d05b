"""The application: all services and the switchboard on one port, the journal, and the state file."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.cloudlink import service as cloudlink
from sandbox.cloudlink.webhooks import running_webhooks
from sandbox.control import page, phones, registration, switches, teams
from sandbox.control.guard import guard
from sandbox.control.view import iso
from sandbox.entra import service as entra
from sandbox.graph import service as graph
from sandbox.http import BATCH, LARGEST_BODY, WORLD, json_response
from sandbox.journal import Entry
from sandbox.state import World, write_saved
from sandbox.world.traffic import running_generator

_SAVE_GAP = 0.5


def make_app(world: World, state_file: Path | None = None) -> web.Application:
    """The sandbox as an application. With ``state_file``, the state is saved there."""
    app = web.Application(middlewares=[guard, _journal], client_max_size=LARGEST_BODY)
    app[WORLD] = world
    app[page.STOPPING] = asyncio.Event()
    for module in (page, phones, teams, registration, switches, graph, cloudlink, entra):
        app.add_routes(module.routes())
    app.on_shutdown.append(_close_streams)
    if state_file:
        app.cleanup_ctx.append(_autosave(world, state_file))
    app.cleanup_ctx.append(_run_background_tasks)
    return app


async def _close_streams(app: web.Application) -> None:
    """Close the event streams, which never end by themselves."""
    app[page.STOPPING].set()
    app[WORLD].changed()


async def _run_background_tasks(app: web.Application) -> AsyncIterator[None]:
    async with running_webhooks(app[WORLD]), running_generator(app[WORLD]):
        yield


def _autosave(world: World, state_file: Path) -> Callable[[web.Application], AsyncIterator[None]]:
    """Save after changes, at most twice a second, and on exit."""

    async def save_on_change(_: web.Application) -> AsyncIterator[None]:
        changed = asyncio.Event()
        changed.set()
        world.on_change.append(changed.set)

        async def run() -> None:
            while True:
                await changed.wait()
                changed.clear()
                await asyncio.to_thread(write_saved, state_file, world.as_bytes())
                await asyncio.sleep(_SAVE_GAP)

        task = asyncio.create_task(run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        write_saved(state_file, world.as_bytes())

    return save_on_change


def _service(path: str) -> str | None:
    """The service a request is for; None for the switchboard."""
    first = path.strip("/").partition("/")[0]
    if first in cloudlink.SERVICES:
        return "cloudlink"
    if first == graph.PREFIX.strip("/"):
        return "graph"
    return None if first == "switchboard" else "entra"


@web.middleware
async def _journal(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Delay the response by ``slow_seconds``, and record the request: never a token request's body, and of the
    headers only the caller's own id.
    """
    service = _service(request.path)
    if service is None:
        return await handler(request)
    world = request.app[WORLD]
    if world.saved.faults.slow_seconds:
        await asyncio.sleep(world.saved.faults.slow_seconds)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = json_response({"error": error.reason}, error.status)
    named = request.headers.get("client-request-id", "")[:100]
    world.journal.entries.append(
        Entry(
            iso(world.now()),
            service,
            request.method,
            request.path[:500],
            response.status,
            request.get(BATCH),
            named,
        )
    )
    return response
