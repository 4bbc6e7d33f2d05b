"""Status messages over the wire: set during a call, and never in place of the person's own message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, update

from sandbox.world.presence import StatusMessage
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.jobs import PUSH
from sync.domain.presence import LineState
from tests.support.engines import ADMIN, QUICK, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import (
    IN_A_CALL,
    STATUS_TEXT,
    end_polls,
    only_integration,
    person_by_extension,
    polls_are_over,
    wait_for_status_message,
)
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import on_sqlite

pytestmark = pytest.mark.usefixtures("each_database")

OWN = "Back at three"


@asynccontextmanager
async def with_messages(folder: Path, **options: Any) -> AsyncIterator[tuple[SandboxHandle, RunningEngine]]:
    """An integration at version 3 with a status text."""
    async with (
        running_sandbox() as sandbox,
        running_engine(sandbox, folder, initial_version=3, **options) as running,
    ):
        await running.connect()
        async with running.database.writing() as session:
            await session.exec(update(Integration).values(status_text=STATUS_TEXT))
        await running.wait_until_sent()
        await sandbox.clear_log()
        yield sandbox, running


def write(sandbox: SandboxHandle, extension: str, words: str | None) -> None:
    """The person writes a status message in Teams."""
    phone = sandbox.world.person(extension)
    assert phone is not None
    user = sandbox.world.teams_user(phone.teams_id or "")
    assert user is not None
    user.status_message = StatusMessage(words) if words else None


async def message_of(sandbox: SandboxHandle, extension: str) -> str | None:
    found: str | None = (await sandbox.teams(extension))["statusMessage"]
    return found


async def requests(sandbox: SandboxHandle) -> list[str]:
    """The calls inside batches, by the last segment of their URL."""
    return [
        str(call["url"]).rpartition("/")[2] for entry in await sandbox.log() for call in entry.get("batch") or []
    ]


async def looked_at(running: RunningEngine) -> None:
    """Wait until no status message is waiting to be read."""

    async def none_is_waiting() -> bool:
        async with running.database.session() as session:
            due = await session.exec(
                update(Person)
                .where(col(Person.status_due_at) <= running_now(running))
                .values(refusal=Person.refusal)
            )
            return int(due.rowcount) == 0

    await eventually(none_is_waiting)


async def test_the_message_is_set_with_the_call_and_removed_after_it(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        await sandbox.call("2001")
        await wait_for_status_message(sandbox, "2001", STATUS_TEXT)
        assert await sandbox.shown("2001") == IN_A_CALL
        await sandbox.hangup("2001")
        await wait_for_status_message(sandbox, "2001", None)
        await running.wait_until_sent()
        await looked_at(running)
        row = await person_by_extension(running, "2001")
        assert (row.status_message, row.status_user_id, row.status_until) == ("", None, None)
        kinds = [kind for kind in await requests(sandbox) if "Presence" in kind or "Message" in kind]
        assert sorted(kinds) == ["clearPresence", "setPresence", "setStatusMessage", "setStatusMessage"]


@on_sqlite
async def test_a_persons_own_message_stays(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        write(sandbox, "2001", OWN)
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await looked_at(running)
        assert await message_of(sandbox, "2001") == OWN
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", "Available", "Available")
        await looked_at(running)
        assert await message_of(sandbox, "2001") == OWN
        assert "setStatusMessage" not in await requests(sandbox)


@on_sqlite
async def test_a_message_written_during_the_call_is_not_removed(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        await sandbox.call("2001")
        await wait_for_status_message(sandbox, "2001", STATUS_TEXT)
        write(sandbox, "2001", OWN)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", "Available", "Available")
        await looked_at(running)
        assert await message_of(sandbox, "2001") == OWN
        assert (await person_by_extension(running, "2001")).status_message == ""


@on_sqlite
async def test_do_not_disturb_sets_no_message(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        await sandbox.dnd("2001")
        await running.wait_until_shown("2001", "DoNotDisturb", "Presenting")
        await looked_at(running)
        assert await message_of(sandbox, "2001") is None


TEXTS = {
    LineState.ON_CALL: "On a call",
    LineState.ON_HOLD: "Back soon",
    LineState.RINGING: "Ringing",
    LineState.DO_NOT_DISTURB: "Focus",
}


async def test_each_state_shows_its_own_text_and_never_over_a_persons_own(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        (view,) = await running.engine.integrations.list(TENANT)
        await running.engine.messages.save(TENANT, view.id, view.revision, TEXTS, ADMIN)
        write(sandbox, "2002", OWN)
        for extension in ("2001", "2002"):
            await sandbox.ring(extension)
        await wait_for_status_message(sandbox, "2001", "Ringing")
        for extension in ("2001", "2002"):
            await sandbox.answer(extension)
        await wait_for_status_message(sandbox, "2001", "On a call")
        await sandbox.hold("2001")
        await wait_for_status_message(sandbox, "2001", "Back soon")
        assert await sandbox.shown("2001") == IN_A_CALL
        await sandbox.hangup("2001")
        await wait_for_status_message(sandbox, "2001", None)
        await sandbox.dnd("2001")
        await wait_for_status_message(sandbox, "2001", "Focus")
        await looked_at(running)
        assert await message_of(sandbox, "2002") == OWN


async def test_disabling_and_removing_clear_the_messages(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        await sandbox.call("2001")
        await wait_for_status_message(sandbox, "2001", STATUS_TEXT)
        name = await running.integration_id()
        await running.engine.integrations.disable(TENANT, name, ADMIN)
        await wait_for_status_message(sandbox, "2001", None)
        await running.engine.integrations.enable(TENANT, name, ADMIN)
        await wait_for_status_message(sandbox, "2001", STATUS_TEXT)
        await running.engine.integrations.remove(TENANT, name, ADMIN)
        await wait_for_status_message(sandbox, "2001", None)


async def test_an_outage_only_delays_the_messages(tmp_path: Path) -> None:
    async with with_messages(tmp_path) as (sandbox, running):
        await sandbox.set_faults(graphThrottle=True, retryAfter=1)
        await sandbox.call("2001")
        await asyncio.sleep(0.3)
        await sandbox.set_faults(graphThrottle=False)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await wait_for_status_message(sandbox, "2001", STATUS_TEXT)


async def test_half_of_the_quota_is_reserved_for_presence(tmp_path: Path) -> None:
    """Of 8 requests messages get 4: one for reading, three for writing."""
    no_polls = replace(QUICK, schedule=3600, poll=3600)
    async with with_messages(tmp_path, quota=8, intervals=no_polls) as (sandbox, running):
        await eventually(lambda: polls_are_over(running))
        await end_polls(running)
        async with running.database.writing() as session:
            await session.exec(update(Integration).values(quota_spent=[]))
        for number in range(1, 6):
            await sandbox.call(f"20{number:02}")
        for number in range(1, 6):
            await running.wait_until_shown(f"20{number:02}", *IN_A_CALL)
        await asyncio.sleep(0.5)
        row = await only_integration(running)
        assert sum(pair[1] for pair in row.quota_spent) <= 8
        assert (await requests(sandbox)).count("setStatusMessage") <= 3


async def test_messages_in_progress_at_a_crash_are_reconciled(tmp_path: Path) -> None:
    """A message sent but not stored as sent is still ours; one stored but not sent is harmless."""
    async with with_messages(tmp_path) as (sandbox, running):
        write(sandbox, "2002", OWN)
        async with running.database.writing() as session:
            for extension in ("2001", "2002"):
                mine = update(Person).where(col(Person.extension) == extension)
                ours = {"status_message": STATUS_TEXT, "status_user_id": Person.teams_user_id}
                await session.exec(mine.values(**ours, due_at=running_now(running)))
        write(sandbox, "2001", STATUS_TEXT)
        await running.engine.jobs.defer(PUSH, await running.integration_id())
        await wait_for_status_message(sandbox, "2001", None)
        await looked_at(running)
        assert await message_of(sandbox, "2002") == OWN
        assert (await person_by_extension(running, "2002")).status_message == ""


def running_now(running: RunningEngine) -> Any:
    return running.sandbox.world.now()
