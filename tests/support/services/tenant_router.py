"""Several sandboxes behind one address, as tenants are behind Microsoft's: routed by path and by token."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import NAMESPACE_DNS, uuid5

import aiohttp
from aiohttp import web

from tests.support.services.sandboxes import SandboxHandle
from tests.support.services.servers import serving

DROPPED = {"transfer-encoding", "content-length", "content-encoding", "date", "server", "connection"}


def give_own_ids(sandbox: SandboxHandle) -> None:
    """Give a sandbox ids of its own: tenant, application, people. New sandboxes have equal ids."""
    registration = sandbox.world.saved.registration
    registration.tenant_id, registration.client_id = _other(registration.tenant_id), _other(registration.client_id)
    registration.domains = []
    for user in sandbox.world.saved.teams:
        user.id = _other(user.id)
    for person in sandbox.world.saved.people:
        person.teams_id = _other(person.teams_id) if person.teams_id else None


def _other(name: str) -> str:
    return str(uuid5(NAMESPACE_DNS, f"other {name}"))


class TenantRouter:
    """Forwards each request to the sandbox of its tenant; requests without one go to the first."""

    def __init__(self, sandboxes: list[SandboxHandle], http: aiohttp.ClientSession) -> None:
        self._sandboxes = sandboxes
        self._http = http
        self.log: list[tuple[str, str]] = []

    async def forward(self, request: web.Request) -> web.Response:
        to = self._sandbox_of(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in DROPPED}
        body = await request.read()
        self.log.append((to.world.saved.registration.tenant_id, request.path))
        url = to.url + request.raw_path
        async with self._http.request(request.method, url, headers=headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in DROPPED}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    def _sandbox_of(self, request: web.Request) -> SandboxHandle:
        about = request.path + _tenant_of(request.headers.get("Authorization", ""))
        for sandbox in self._sandboxes:
            if sandbox.world.saved.registration.tenant_id in about:
                return sandbox
        return self._sandboxes[0]


def _tenant_of(authorization: str) -> str:
    """The claim ``tid`` of a bearer token."""
    part = authorization.partition(" ")[2].split(".")[1:2]
    if not part:
        return ""
    return str(json.loads(base64.urlsafe_b64decode(part[0] + "==")).get("tid", ""))


@asynccontextmanager
async def running_tenant_router(*sandboxes: SandboxHandle) -> AsyncIterator[tuple[str, TenantRouter]]:
    """The address, for as long as the context lasts."""
    async with aiohttp.ClientSession(auto_decompress=True) as http:
        router = TenantRouter(list(sandboxes), http)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", router.forward)
        async with serving(application) as url:
            yield url, router
