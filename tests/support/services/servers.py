"""Serves an application on loopback for the length of a test."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serving(
    application: web.Application, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The address of ``application``.

    First it stops to accept connections, then it takes over those it has accepted, then it closes them all: asyncio
    forgets a connection, with its socket open, when its server is closed between the two (``Server._attach``).
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    listener = socket.create_server((LOOPBACK, port))
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        asyncio.get_running_loop().remove_reader(listener)
        for _ in range(2):
            await asyncio.sleep(0)
        await runner.cleanup()
