"""The engine is killed (SIGKILL) in each step of a rotation; the next engine ends it with one secret of ours.

Either the request is lost or, worse, the response to one that was served.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from core.clock import utc_now
from storage.database import open_database
from storage.encryption import Encryption
from storage.tables.rotations import Rotation
from sync.credentials.store import CredentialStore
from sync.domain.rotation import RotationStep
from tests.chaos.workers import kill, worker
from tests.support.engines import KEY, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.servers import serving
from tests.support.storage.stores import read_integration, stored


@dataclass
class Gate:
    """A proxy in front of Entra and Graph. The ``nth`` matching request is held: before it is served, or after."""

    sandbox: SandboxHandle
    http: aiohttp.ClientSession
    path: str
    secrets: int
    served: bool
    nth: int = 1
    held: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = True

    async def forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        hold = self._matches(request)
        if hold and not self.served:
            await self._hold()
        answer = await self._serve(request, body)
        if hold and self.served:
            await self._hold()
        return answer

    def _matches(self, request: web.Request) -> bool:
        known = len(self.sandbox.world.saved.registration.secrets)
        if not self.closed or known != self.secrets or self.path not in f"{request.method} {request.path}":
            return False
        self.nth -= 1
        return self.nth == 0

    async def _serve(self, request: web.Request, body: bytes) -> web.Response:
        kept = ("Host", "Authorization", "Content-Type")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        url = self.sandbox.url + request.path_qs
        async with self.http.request(request.method, url, data=body, headers=headers) as response:
            content = await response.read()
            return web.Response(status=response.status, body=content, content_type=response.content_type)

    async def _hold(self) -> None:
        self.held.set()
        await self.opened.wait()


@asynccontextmanager
async def running_gate(gate: Gate) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", gate.forward)
    async with serving(application) as url:
        try:
            yield url
        finally:
            gate.opened.set()


@dataclass(frozen=True)
class KillPoint:
    """The request at which the engine is killed, the number of secrets then, and whether it was served."""

    step: RotationStep
    path: str
    secrets: int
    served: bool


KILL_POINTS = {
    "before listing the secrets": KillPoint(RotationStep.ADD, "GET /v1.0/applications", 1, False),
    "adding, before it is served": KillPoint(RotationStep.ADD, "/addPassword", 1, False),
    "adding, its answer lost": KillPoint(RotationStep.ADD, "/addPassword", 1, True),
    "waiting for its acceptance": KillPoint(RotationStep.WAIT, "/oauth2/v2.0/token", 2, False),
    "accepted, its answer lost": KillPoint(RotationStep.WAIT, "/oauth2/v2.0/token", 2, True),
    "proving, before it is served": KillPoint(RotationStep.PROVE, "GET /v1.0/organization", 2, False),
    "proving, its answer lost": KillPoint(RotationStep.PROVE, "GET /v1.0/organization", 2, True),
    "removing, before it is served": KillPoint(RotationStep.REMOVE, "/removePassword", 2, False),
    "removing, its answer lost": KillPoint(RotationStep.REMOVE, "/removePassword", 2, True),
}


async def store_integration(sandbox: SandboxHandle, folder: Path) -> str:
    """An integration with a person in a call, whose rotation begins when an engine starts."""
    await sandbox.permissions(Application_ReadWrite_OwnedBy=True)
    async with running_engine(sandbox, folder, webhooks=False) as running:
        view = await running.connect()
        await sandbox.call("2002")
        await running.wait_until_shown("2002", *IN_A_CALL)
        await running.wait_until_sent()
        rotation = Rotation(
            integration_id=view.id,
            owner_tenant=TENANT,
            kind="for_me",
            step=RotationStep.ADD,
            started_by="admin-1",
            started_at=utc_now(),
            due_at=utc_now() + timedelta(hours=1),
        )
        await stored(running.database, rotation)
        return rotation.id


async def step_of(running: RunningEngine, rotation_id: str) -> str:
    async with running.database.session() as session:
        rotation = await session.get(Rotation, rotation_id)
    assert rotation is not None
    return rotation.step


async def is_done(running: RunningEngine, rotation_id: str) -> bool:
    return await step_of(running, rotation_id) == RotationStep.DONE


@pytest.mark.parametrize("kill_point", KILL_POINTS.values(), ids=KILL_POINTS)
async def test_killed_in_any_step_one_secret_remains(tmp_path: Path, kill_point: KillPoint) -> None:
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        rotation_id = await store_integration(sandbox, tmp_path)
        old = sandbox.world.saved.registration.secrets[-1].value
        gate = Gate(sandbox, http, kill_point.path, kill_point.secrets, kill_point.served)
        async with running_gate(gate) as url:
            await start_rotation(tmp_path, rotation_id)
            async with worker(sandbox, url, tmp_path, entra_url=url) as process:
                await asyncio.wait_for(gate.held.wait(), 30)
                await kill(process)
        await sandbox.hangup("2002")
        await sandbox.call("2001")
        async with running_engine(sandbox, tmp_path, webhooks=False) as running:
            assert await step_of(running, rotation_id) == kill_point.step
            await eventually(lambda: is_done(running, rotation_id))
            await running.wait_until_shown("2001", *IN_A_CALL)
            await running.wait_until_shown("2002", *AVAILABLE)
            integration = await read_integration(running.database, await running.integration_id())
            used = CredentialStore(Encryption([KEY])).app(integration).client_secret
            assert [secret.value for secret in sandbox.world.saved.registration.secrets] == [used]
            assert used != old
            assert integration.previous_secret_sealed is None


async def start_rotation(folder: Path, rotation_id: str) -> None:
    """Make what is due in an hour due now."""
    path = f"sqlite+aiosqlite:///{folder / 'presence.db'}"
    async with open_database(path) as database, database.writing() as session:
        rotation = await session.get(Rotation, rotation_id)
        assert rotation is not None
        rotation.due_at = utc_now()
        session.add(rotation)
