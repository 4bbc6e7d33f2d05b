"""Two engines on one store start the same automatic rotation: there is one rotation, and one secret."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from sqlmodel import col, select

from storage.encryption import Encryption
from storage.tables.history import HistoryEntry
from storage.tables.rotations import Rotation
from sync.credentials.store import CredentialStore
from sync.domain.jobs import ROTATE
from sync.domain.rotation import RotationStep
from tests.support.engines import KEY, QUICK, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import read_integration

RACING = replace(QUICK, schedule=0.05, rotation_lease=10)


async def due_for_rotation(sandbox: SandboxHandle, folder: Path) -> str:
    """An integration whose secret expires in twenty days, to be rotated as soon as an engine checks it."""
    await sandbox.permissions(Application_ReadWrite_OwnedBy=True)
    sandbox.world.saved.registration.secrets.clear()
    await sandbox.new_secret(days=20)
    idle = replace(QUICK, schedule=3600)
    async with running_engine(sandbox, folder, webhooks=False, intervals=idle) as running:
        view = await running.connect()
        integration = await read_integration(running.database, view.id)
        integration.auto_rotate = True
        integration.secret_expires_on = sandbox.world.saved.registration.secrets[-1].end.date()
        async with running.database.writing() as session:
            await session.merge(integration)
    return view.id


async def is_over(running: RunningEngine, integration_id: str) -> bool:
    rotation = await running.engine.credentials.rotation(TENANT, integration_id)
    return rotation is not None and rotation.step is RotationStep.DONE


async def press(racing: list[RunningEngine], integration_id: str) -> None:
    """All engines check it at the same time, repeatedly."""
    while True:
        await asyncio.gather(*(one.engine.jobs.defer(ROTATE, integration_id) for one in racing))
        await asyncio.sleep(0.01)


async def test_two_processes_start_one_automatic_rotation(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, AsyncExitStack() as stack:
        integration_id = await due_for_rotation(sandbox, tmp_path)
        old = sandbox.world.saved.registration.secrets[-1].value
        await sandbox.set_faults(secret_delay_seconds=1.0)
        await sandbox.call("2001")
        racing = [
            await stack.enter_async_context(running_engine(sandbox, tmp_path, webhooks=False, intervals=RACING))
            for _ in range(2)
        ]
        pressing = asyncio.create_task(press(racing, integration_id))
        await eventually(lambda: is_over(racing[0], integration_id))
        await asyncio.sleep(0.5)  # for an engine that comes too late
        pressing.cancel()

        async with racing[1].database.session() as session:
            rotations = (await session.exec(select(Rotation))).all()
            acts = (
                await session.exec(select(HistoryEntry.act).where(col(HistoryEntry.act).startswith("rotate")))
            ).all()
        assert [(row.kind, row.step) for row in rotations] == [("automatic", "done")]
        assert sorted(acts) == ["rotate", "rotate_begun", "rotate_proven"]
        used = (
            CredentialStore(Encryption([KEY]))
            .app(await read_integration(racing[0].database, integration_id))
            .client_secret
        )
        assert [secret.value for secret in sandbox.world.saved.registration.secrets] == [used]
        assert used != old
        served = [entry["path"] for entry in await sandbox.log()]
        assert len([path for path in served if path.endswith("/addPassword")]) == 1
        assert len([path for path in served if path.endswith("/removePassword")]) == 1
        await racing[1].wait_until_shown("2001", *IN_A_CALL)
