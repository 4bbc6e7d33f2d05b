"""Concurrent processes do what one alone would do: nothing twice, nothing lost, no deadlock."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.flow import queries
from storage.queries import integrations, monitors
from storage.queries.chat import conversations, drafts
from storage.queries.health import alerts, problems
from storage.queries.people import effects
from storage.tables.conversations import Conversation, Draft
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel, AlertPreference
from storage.tables.problems import Problem
from storage.tables.rotations import Monitor, MonitorTask, Rotation
from storage.transaction import Transaction
from tests.support.clocks import NOON
from tests.support.eventually import eventually
from tests.support.storage.stores import empty_store, integration, stored

AT_ONCE = 8

Act = Callable[[AsyncSession, int], Awaitable[object]]


async def add_named(session: AsyncSession, number: int) -> None:
    if not await integrations.is_name_taken(session, "t1", "Lobby"):
        session.add(integration(id=f"new {number}", name="Lobby"))


async def break_down(session: AsyncSession, number: int) -> None:
    await problems.upsert_open(session, "i1", "entra", "entra.secret_wrong", {}, True, NOON)


async def speak(session: AsyncSession, number: int) -> None:
    await conversations.upsert(
        session,
        tenant_id="t1",
        user_object_id="ada",
        service_url="https://one.example/",
        conversation_id=f"c{number}",
        user_id="29:1",
        bot_id="28:1",
        channel_id="msteams",
        locale="",
        now=NOON,
    )


async def type_in(session: AsyncSession, number: int) -> None:
    await drafts.save(session, Draft(tenant_id="t1", user_object_id="ada", step=f"step {number}", updated_at=NOON))


async def mute(session: AsyncSession, number: int) -> None:
    await alerts.set_muted(session, "t1", "ada", "i1", bool(number % 2))


async def be_quiet(session: AsyncSession, number: int) -> None:
    await alerts.set_quiet_hours(session, "t1", "ada", "22:00", "07:00", "UTC")


async def tell_channel(session: AsyncSession, number: int) -> None:
    await alerts.add_channel(
        session,
        owner_tenant="t1",
        conversation_id="19:channel",
        service_url="https://one.example/",
        bot_id="28:1",
        channel_id="msteams",
        language="en",
        added_by="ada",
        now=NOON,
    )


async def list_monitor(session: AsyncSession, number: int) -> None:
    await monitors.add(session, "t1", "i1", ["Lobby"], NOON)


async def ask_for(session: AsyncSession, number: int) -> None:
    await monitors.add_tasks(session, "t1", "i1", "r1")


async def at_once(database: Database, act: Act) -> None:
    async def one(number: int) -> None:
        async with database.writing() as session:
            await act(session, number)
            await asyncio.sleep(0.02)  # long enough that the others would get in

    async with asyncio.timeout(60):
        await asyncio.gather(*(one(number) for number in range(AT_ONCE)))


@pytest.mark.parametrize(
    ("act", "table", "rows"),
    [
        (add_named, Integration, 2),
        (break_down, Problem, 1),
        (speak, Conversation, 1),
        (type_in, Draft, 1),
        (mute, AlertPreference, 1),
        (be_quiet, AlertPreference, 1),
        (tell_channel, AlertChannel, 1),
        (list_monitor, Monitor, 2),
        (ask_for, MonitorTask, 1),
    ],
)
async def test_concurrent_calls_create_a_row_once(
    act: Act, table: type[SQLModel], rows: int, tmp_path: Path
) -> None:
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(),
            Rotation(id="r1", integration_id="i1", owner_tenant="t1", kind="by_hand", step="done", started_at=NOON),
            Monitor(owner_tenant="t1", integration_id="i1", name="Attic", created_at=NOON),
        )
        await at_once(database, act)
        async with database.session() as session:
            assert len((await session.exec(select(table))).all()) == rows


async def test_a_shared_quota_is_locked_in_one_order_whichever_is_asked_first(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, *(integration(id=f"i{number}") for number in range(4)))
        await stored(database, integration(id="foreign", client_id="another"))

        async def lock(session: AsyncSession, number: int) -> None:
            found = await integrations.lock_sharing_quota(session, f"i{number % 4}")
            assert list(found) == ["i0", "i1", "i2", "i3"]

        for _ in range(5):
            await at_once(database, lock)


async def test_what_is_counted_for_several_integrations_waits_for_none_that_is_locked(tmp_path: Path) -> None:
    """Else it would hold up the ticks of all the others meanwhile."""
    counts = {("i0", 0, 0): 1, ("i1", 0, 0): 1}
    async with empty_store(tmp_path) as database:
        await stored(database, *(integration(id=f"i{number}") for number in range(2)))
        if database.is_sqlite:
            return

        async def count() -> None:
            async with asyncio.timeout(30), database.writing() as session:
                await effects.add_delays(session, counts)

        def count_during_a_tick(transaction: Transaction) -> None:
            queries.lock_integrations(transaction, ["i1"])
            asyncio.run_coroutine_threadsafe(count(), loop).result()

        loop = asyncio.get_running_loop()
        await database.transact(count_during_a_tick)
        async with database.writing() as session:
            await integrations.get_for_update(session, "i1")
            await count()


async def test_a_start_locks_integrations_in_the_order_in_which_others_lock_several(tmp_path: Path) -> None:
    """In another order it would end with a deadlock, whatever the order in which they were added."""
    async with empty_store(tmp_path) as database:
        await stored(database, integration(id="i1"))
        await stored(database, integration(id="i0"))
        if database.is_sqlite:
            return

        async def mark() -> None:
            async with database.writing() as session:
                await integrations.mark_gap(session, NOON)

        async def is_waiting() -> bool:
            found = await database.transact(lambda it: it.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
            return bool(found)

        async with asyncio.timeout(60), database.writing() as session:
            await integrations.get_for_update(session, "i0")
            marking = asyncio.create_task(mark())
            await eventually(is_waiting)
            await integrations.get_for_update(session, "i1")
        await marking


async def test_a_removed_integration_shares_no_quota(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database, database.writing() as session:
        assert await integrations.lock_sharing_quota(session, "gone") == {}
