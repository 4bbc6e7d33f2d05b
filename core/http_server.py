"""Listens for HTTP requests, and ends in time when the process stops."""

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from core.errors import CloudLinkPresenceError
from core.shutdown import SHUTDOWN_SECONDS

REQUEST_SECONDS = SHUTDOWN_SECONDS / 2 - 0.5
"""How long requests in flight get when the process stops. aiohttp 3.14 waits twice: to answer, then to cancel."""


SETTINGS = "HOST and PORT; for probes and metrics OPERATIONS_HOST and OPERATIONS_PORT"


class CannotListen(CloudLinkPresenceError):
    """The address or the port cannot be used; the message says why, for the operator."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there. Stop it, or set another port"
        elif isinstance(error, socket.gaierror):
            reason = "this is no address of this machine. Set another one"
        else:
            reason = f"{os.strerror(error.errno or 0)}. Set another address or port"
        super().__init__(f"It cannot listen on {host}, port {port}: {reason} ({SETTINGS}).")


async def _hide_version(_: web.Request, response: web.StreamResponse) -> None:
    """Say nothing of the software: aiohttp names itself, Python and both versions."""
    response.headers.pop("Server", None)


@asynccontextmanager
async def listening(application: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``application`` for the length of the block; yields the port, which matters when ``port`` is 0.

    Raises ``CannotListen``.
    """
    application.on_response_prepare.append(_hide_version)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=REQUEST_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen(host, port, error) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
