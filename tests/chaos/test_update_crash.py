"""The engine is killed (SIGKILL) during an installation; the next engine continues from the stored step."""

import asyncio
from pathlib import Path

from sqlmodel import select

from storage.tables.updates import FeatureUpdate
from sync.domain.model import Actor
from sync.updates.model import CardAddress
from tests.chaos.gate import running_gate
from tests.chaos.workers import is_held, kill, store_integration, worker
from tests.support.engines import TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

WORDS = "On the phone"


async def store_started_update(sandbox: SandboxHandle, folder: Path) -> None:
    """A store in which a person pressed *Install update* and the process was killed immediately."""
    async with running_engine(sandbox, folder, webhooks=False) as running:
        name = (await running.engine.integrations.list(TENANT))[0].id
        await sandbox.set_faults(graphOutage=True)
        card = CardAddress(TENANT, "ana", "card-1")
        assert await running.engine.updates.install(TENANT, name, 3, WORDS, Actor("ana", "Ana"), card)
    await sandbox.set_faults(graphOutage=False)


async def rows(running: RunningEngine) -> list[FeatureUpdate]:
    async with running.database.session() as session:
        found = await session.exec(select(FeatureUpdate).order_by(FeatureUpdate.version))  # type: ignore[arg-type]
        return list(found.all())


async def is_over(running: RunningEngine) -> bool:
    return all(row.state == "completed" for row in await rows(running))


async def test_killed_while_pushing_for_new_matches_it_continues(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, running_gate(sandbox) as (gate, graph_url):
        await store_integration(sandbox, tmp_path)
        await store_started_update(sandbox, tmp_path)
        await sandbox.call("2001")
        async with worker(sandbox, graph_url, tmp_path) as process:
            gate.closed = True
            await eventually(lambda: is_held(gate))
            await kill(process)
        async with running_engine(sandbox, tmp_path, webhooks=False) as running:
            await eventually(lambda: is_over(running))
            assert (await running.engine.updates.cards_to_update(await running.integration_id())) is not None
            await running.wait_until_shown("2001", *IN_A_CALL)
            await eventually(lambda: has_status_message(sandbox, "2001", WORDS))


async def has_status_message(sandbox: SandboxHandle, who: str, words: str) -> bool:
    return bool((await sandbox.teams(who))["statusMessage"] == words)


async def test_after_repeated_kills_every_step_is_done_once(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        await store_integration(sandbox, tmp_path)
        await store_started_update(sandbox, tmp_path)
        await sandbox.set_faults(slowSeconds=0.15)
        for patience in (0.3, 0.6, 0.9):
            async with worker(sandbox, sandbox.url, tmp_path):
                await asyncio.sleep(patience)
        await sandbox.set_faults(slowSeconds=0.0)
        async with running_engine(sandbox, tmp_path, webhooks=False) as running:
            await eventually(lambda: is_over(running))
            assert [row.version for row in await rows(running)] == [2, 3]
            assert (await rows(running))[0].facts["results"] == {"matched": 1}
            status = await running.status()
            assert (status.matched, status.update) == (22, None)
