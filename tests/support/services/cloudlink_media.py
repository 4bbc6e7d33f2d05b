"""CloudLink's media service as a test wants it to answer; all its other services are the sandbox's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.services.sandboxes import SandboxHandle
from tests.support.services.servers import serving


@dataclass
class Device:
    """What CloudLink answers about an endpoint: its fields besides its id, and its calls."""

    fields: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Media:
    """``devices`` by extension; those of the sandbox's people who are not among them are idle.

    What is asked of an endpoint in ``refused`` is answered with that status.
    While ``held``, answers about calls are prepared when they are asked for, and sent when it is released.
    """

    sandbox: SandboxHandle
    devices: dict[str, Device | None] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None
    url: str = ""

    def set_calls(self, extension: str, *calls: dict[str, Any], **fields: Any) -> None:
        self.devices[extension] = Device({"state": "busy" if calls else "idle", **fields}, list(calls))

    def _device(self, request: web.Request) -> tuple[str, Device]:
        extension = request.match_info["extension"]
        self.asked.append(extension)
        idle = Device({"state": "idle"}) if self.sandbox.world.person(extension) else None
        device = self.devices.get(extension, idle)
        if device is None:
            raise web.HTTPNotFound
        return extension, device

    async def _endpoint(self, request: web.Request) -> web.Response:
        extension, device = self._device(request)
        status = self.refused.get(extension, 200)
        return web.json_response({"endpointId": extension, **device.fields}, status=status)

    async def _calls(self, request: web.Request) -> web.Response:
        _, device = self._device(request)
        items = list(device.calls)
        if self.held:
            await self.held.wait()
        return web.json_response({"count": len(items), "_embedded": {"items": items}})

    async def _forward(self, request: web.Request) -> web.Response:
        url, body = self.sandbox.url + request.raw_path, await request.read()
        async with aiohttp.request(request.method, url, headers=request.headers, data=body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        application = web.Application()
        path = "/media/2017-09-01/endpoints/{extension}"
        application.router.add_get(path, self._endpoint)
        application.router.add_get(f"{path}/calls", self._calls)
        application.router.add_route("*", "/{path:.*}", self._forward)
        async with serving(application) as self.url:
            yield
