"""A proxy in front of Graph, for killing a process between a request and its response."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.support.services.sandboxes import SandboxHandle
from tests.support.services.servers import serving


class Gate:
    """Forwards to Graph. While closed, it forwards a batch but withholds the response."""

    def __init__(self, graph_url: str, http: aiohttp.ClientSession) -> None:
        self._graph_url = graph_url
        self._http = http
        self.closed = False
        self.held = 0
        self._opened = asyncio.Event()

    async def forward(self, request: web.Request) -> web.Response:
        headers = {
            name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
        }
        async with self._http.request(
            request.method, self._graph_url + request.path_qs, data=await request.read(), headers=headers
        ) as response:
            body = await response.read()
        if self.closed and request.path.endswith("/$batch"):
            self.held += 1
            await self._opened.wait()
        return web.Response(status=response.status, body=body, content_type=response.content_type)

    def open(self) -> None:
        self._opened.set()


@asynccontextmanager
async def running_gate(sandbox: SandboxHandle) -> AsyncIterator[tuple[Gate, str]]:
    async with aiohttp.ClientSession() as http:
        gate = Gate(sandbox.url, http)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", gate.forward)
        async with serving(application) as url:
            try:
                yield gate, url
            finally:
                gate.open()
