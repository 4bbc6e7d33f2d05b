"""Serves an application on loopback for the length of a test."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import test_utils, web

from core.http.server import stop_accepting

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serving(
    application: web.Application, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The address of ``application``.

    First it accepts no more connections (``stop_accepting``), then it closes them all.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    listener = socket.create_server((LOOPBACK, port))
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        await stop_accepting(listener)
        await runner.cleanup()


class TestServer(test_utils.TestServer):
    """aiohttp's server for tests, which closes what it has accepted as ``serving`` does."""

    __test__ = False

    def __init__(self, application: web.Application, **options: Any) -> None:
        super().__init__(application, socket_factory=self._listen, **options)

    def _listen(self, host: str, port: int, family: socket.AddressFamily) -> socket.socket:
        self._listener = test_utils.get_port_socket(host, port, family)
        return self._listener

    async def close(self) -> None:
        if self.started and not self.closed:
            await stop_accepting(self._listener)
        await super().close()
