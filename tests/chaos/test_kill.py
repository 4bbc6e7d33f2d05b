"""The engine is killed (SIGKILL) at the worst moments; the next engine must leave no false presence."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from sqlmodel import select

from storage.tables.people import Person
from tests.chaos.gate import running_gate
from tests.chaos.workers import is_held, kill, presence_matches_phones, store_integration, worker
from tests.support.engines import TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox


async def is_shown(sandbox: SandboxHandle, who: str, what: tuple[str, str]) -> bool:
    return await sandbox.shown(who) == what


async def test_a_presence_accepted_but_not_stored_is_cleared_after_a_crash(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, running_gate(sandbox) as (gate, graph_url):
        await store_integration(sandbox, tmp_path)
        async with worker(sandbox, graph_url, tmp_path) as process:
            gate.closed = True
            await sandbox.call("2001")
            await eventually(lambda: is_held(gate))
            assert await sandbox.shown("2001") == IN_A_CALL
            await kill(process)
        await sandbox.hangup("2001")
        async with started_while_graph_is_down(sandbox, tmp_path, desired=None) as running:
            await running.wait_until_shown("2001", *AVAILABLE)
            await running.wait_until_sent()


async def test_a_clear_accepted_but_not_yet_stored_does_not_hide_the_next_call(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, running_gate(sandbox) as (gate, graph_url):
        await store_integration(sandbox, tmp_path)
        async with worker(sandbox, graph_url, tmp_path) as process:
            await sandbox.call("2001")
            await eventually(lambda: is_shown(sandbox, "2001", IN_A_CALL))
            await eventually(lambda: every_result_is_stored(tmp_path))
            gate.closed = True
            await sandbox.hangup("2001")
            await eventually(lambda: is_held(gate))
            assert await sandbox.shown("2001") == AVAILABLE
            await kill(process)
        await sandbox.call("2001")
        async with started_while_graph_is_down(sandbox, tmp_path, desired="Busy/InACall") as running:
            await running.wait_until_shown("2001", *IN_A_CALL)


@asynccontextmanager
async def started_while_graph_is_down(
    sandbox: SandboxHandle, folder: Path, desired: str | None
) -> AsyncIterator[RunningEngine]:
    """The next engine: it learns what the phone does before it can send anything, so that only the store can
    show what the killed engine may have sent."""
    await sandbox.set_faults(graphOutage=True)
    async with running_engine(sandbox, folder, webhooks=False) as running:

        async def has_learnt() -> bool:
            async with running.database.session() as session:
                query = select(Person).where(Person.extension == "2001")
                person = (await session.exec(query)).one()
            phone = sandbox.world.person("2001")
            ended = phone is not None and not phone.phone.calls
            return person.desired == desired and (person.line == "idle") == ended

        await eventually(has_learnt)
        await sandbox.set_faults(graphOutage=False)
        yield running


async def every_result_is_stored(folder: Path) -> bool:
    """Whether the other process has stored the result of everything it sent."""
    query = "SELECT applied FROM person WHERE applied IS NOT NULL"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sqlite3; print(sqlite3.connect({str(folder / 'presence.db')!r}).execute({query!r}).fetchall())",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return output.strip() == b"[('Busy/InACall',)]"


async def test_after_repeated_kills_presence_matches_the_phones(tmp_path: Path) -> None:
    random = Random(2026)
    extensions = [f"20{number:02}" for number in range(1, 13)]
    async with running_sandbox() as sandbox:
        await store_integration(sandbox, tmp_path)
        for _ in range(3):
            async with worker(sandbox, sandbox.url, tmp_path):
                for _ in range(12):
                    extension = random.choice(extensions)
                    await (sandbox.hangup_all(extension) if random.random() < 0.4 else sandbox.call(extension))
                    await asyncio.sleep(random.uniform(0, 0.1))
        async with running_engine(sandbox, tmp_path, webhooks=False) as running:
            assert (await running.engine.integrations.list(TENANT))[0].enabled
            await eventually(lambda: presence_matches_phones(sandbox, extensions))
