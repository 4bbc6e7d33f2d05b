"""Listens for HTTP requests, and ends in time when the process stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from core.shutdown import SHUTDOWN_SECONDS

REQUEST_SECONDS = SHUTDOWN_SECONDS / 2 - 0.5
"""How long requests in flight get when the process stops. aiohttp 3.14 waits twice: to answer, then to cancel."""


async def _hide_version(_: web.Request, response: web.StreamResponse) -> None:
    """Say nothing of the software: aiohttp names itself, Python and both versions."""
    response.headers.pop("Server", None)


@asynccontextmanager
async def listening(application: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``application`` for the length of the block; yields the port, which matters when ``port`` is 0."""
    application.on_response_prepare.append(_hide_version)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=REQUEST_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
