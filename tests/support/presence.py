"""Presence from a sandbox phone to its Graph: an engine with an integration, and what it sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlmodel import select

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.jobs import POLL, POLL_CHUNK, POLL_NOW, POLL_SAMPLE
from tests.support.engines import RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

AVAILABLE = ("Available", "Available")
IN_A_CALL = ("Busy", "InACall")
CONFERENCE = ("Busy", "InAConferenceCall")
PRESENTING = ("DoNotDisturb", "Presenting")
STATUS_TEXT = "On the phone"


@asynccontextmanager
async def connected_engine(folder: Path, **options: Any) -> AsyncIterator[tuple[SandboxHandle, RunningEngine]]:
    """A sandbox and an engine with an enabled integration; it polls rarely by default."""
    clock = options.get("clock")
    world = {"clock": clock} if clock else {}
    async with running_sandbox(**world) as sandbox, running_engine(sandbox, folder, **options) as running:
        await running.connect()
        await running.wait_until_sent()
        await sandbox.clear_log()
        yield sandbox, running


async def answer_call(sandbox: SandboxHandle, extension: str) -> str:
    call_id = await sandbox.ring(extension)
    await sandbox.answer(extension, call_id)
    return call_id


async def polls_are_over(running: RunningEngine) -> bool:
    """Whether the first poll is done, and no job is left."""
    are_idle = not running.metric("jobs_running") and not await running.engine.jobs.waiting()
    return are_idle and running.metric("jobs_total", task="poll", outcome="done") > 0


async def end_polls(running: RunningEngine) -> None:
    """From here on only webhooks change a wish."""

    async def nothing(_key: str) -> None:
        return None

    async def is_idle() -> bool:
        return running.metric("jobs_running") == 0

    for job in (POLL, POLL_SAMPLE, POLL_CHUNK, POLL_NOW):
        running.engine.jobs.replace(job, nothing)
    await eventually(is_idle)


async def presence_requests(sandbox: SandboxHandle) -> list[dict[str, Any]]:
    """The presence calls that reached Graph inside batches, in their order."""
    return [call for entry in await sandbox.log() for call in entry.get("batch") or []]


async def person_by_extension(running: RunningEngine, extension: str) -> Person:
    async with running.database.session() as session:
        return (await session.exec(select(Person).where(Person.extension == extension))).one()


async def only_integration(running: RunningEngine) -> Integration:
    async with running.database.session() as session:
        return (await session.exec(select(Integration))).one()


async def wait_for_status_message(sandbox: SandboxHandle, who: str, message: str | None) -> None:
    """Wait until this status message is shown with the person's presence."""

    async def is_shown() -> bool:
        found: str | None = (await sandbox.teams(who))["statusMessage"]
        return found == message

    await eventually(is_shown)
