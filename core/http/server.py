"""Listens for HTTP requests, closes what is silent or too much, and ends in time when the process stops."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.errors import CloudLinkPresenceError
from core.http.connections import Closed, ConnectionGate
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


class GuardedConnection(web.RequestHandler):
    """A connection within the gate's limits. While a request is handled, its handler limits the time."""

    def __init__(self, server: web.Server, gate: ConnectionGate, **options: Any) -> None:
        super().__init__(server, **options)
        self._gate = gate
        self._peer = ""
        self._socket: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_idle = False
        self.is_waiting = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._gate.admit(self._peer, self):
            transport.abort()
            return
        self._socket = transport
        super().connection_made(transport)
        self._close_after(self._gate.limits.header_seconds)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self._is_idle = False
            self._close_after(self._gate.limits.header_seconds)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._socket is None:
            return
        self._socket = None
        self.begin()
        self._gate.leave(self._peer, self)
        super().connection_lost(exc)

    def begin(self) -> None:
        """A request has arrived: its handler decides how long it may take."""
        self._is_idle = self.is_waiting = False
        if self._timer:
            self._timer.cancel()

    def end(self) -> None:
        """The request is answered, and the next may be awaited."""
        if self._socket:
            self._is_idle = self.is_waiting = True
            self._close_after(self._gate.limits.idle_seconds)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A response that names no software. What is no HTTP is counted: aiohttp would log each such request."""
        if isinstance(exc, HttpProcessingError) and not request.writer.output_size:
            self._gate.note(Closed.MALFORMED, self._peer)
            response: web.StreamResponse = web.Response(status=status)
            response.force_close()
        else:
            response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = ""
        return response

    def abort(self) -> None:
        if self._socket:
            self._socket.abort()

    def _close_after(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._socket:
            if not self._is_idle:
                self._gate.note(Closed.SILENT, self._peer)
            self.abort()


class _GuardedServer(web.Server):
    def __init__(self, server: web.Server, gate: ConnectionGate) -> None:
        super().__init__(server.request_handler, request_factory=server.request_factory)
        self._gate = gate

    def __call__(self) -> web.RequestHandler:
        return GuardedConnection(self, self._gate, loop=asyncio.get_running_loop(), access_log=None)


class _GuardedRunner(web.AppRunner):
    def __init__(self, application: web.Application, gate: ConnectionGate) -> None:
        super().__init__(application, shutdown_timeout=REQUEST_SECONDS)
        self._gate = gate

    async def _make_server(self) -> web.Server:
        return _GuardedServer(await super()._make_server(), self._gate)


@web.middleware
async def _timed(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    connection = cast(GuardedConnection, request.protocol)
    connection.begin()
    try:
        return await handler(request)
    finally:
        connection.end()


async def _hide_version(_: web.Request, response: web.StreamResponse) -> None:
    """Say nothing of the software: aiohttp names itself, Python and both versions."""
    response.headers.pop("Server", None)


@asynccontextmanager
async def listening(
    application: web.Application, host: str, port: int, gate: ConnectionGate | None = None
) -> AsyncIterator[int]:
    """Serve ``application`` for the length of the block; yields the port, which matters when ``port`` is 0.

    Raises ``CannotListen``.
    """
    gate = gate or ConnectionGate()
    listener = _listener(host, port)
    application.middlewares.append(_timed)
    application.on_response_prepare.append(_hide_version)
    runner = _GuardedRunner(application, gate)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield listener.getsockname()[1]
    finally:
        await stop_accepting(listener)
        await runner.cleanup()
        gate.close()


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotListen(host, port, error) from None
    return listener


async def stop_accepting(listener: socket.socket) -> None:
    """Accept no more connections, and take over those that were accepted just before.

    asyncio forgets a connection, its socket open, when its server is closed between the two (``Server._attach``).
    """
    asyncio.get_running_loop().remove_reader(listener)
    for _ in range(2):
        await asyncio.sleep(0)
