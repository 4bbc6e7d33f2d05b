"""Monitors are listed once, have a task after a rotation, and keep the first person who completed it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.queries import history, monitors
from storage.tables.rotations import Rotation
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, stored


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_store(tmp_path) as opened:
        await stored(opened, integration(), integration(id="i2", owner_tenant="t2"))
        yield opened


def rotation(name: str, **values: Any) -> Rotation:
    given = {"integration_id": "i1", "owner_tenant": "t1", "kind": "by_hand", "step": "done", "started_at": NOON}
    return Rotation(id=name, **{**given, "finished_at": NOON, **values})


async def add(database: Database, *names: str, tenant: str = "t1", to: str = "i1") -> list[str]:
    async with database.writing() as session:
        return await monitors.add(session, tenant, to, names, NOON)


async def ids(database: Database) -> dict[str, str]:
    async with database.session() as session:
        return {monitor.name: monitor.id for monitor in await monitors.list_owned(session, "t1", "i1")}


async def tick(database: Database, *names: str, by: str = "Ada", tenant: str = "t1", minutes: int = 0) -> list[str]:
    known = await ids(database)
    async with database.writing() as session:
        chosen = [known[name] for name in names]
        return await monitors.complete_tasks(session, tenant, "i1", chosen, by, NOON + timedelta(minutes=minutes))


async def ask_for(database: Database, rotation_id: str, tenant: str = "t1") -> int:
    async with database.writing() as session:
        return await monitors.add_tasks(session, tenant, "i1", rotation_id)


async def count_open(database: Database) -> int:
    async with database.session() as session:
        return await monitors.count_open_tasks(session, "i1")


async def test_names_are_listed_once_and_in_order(database: Database) -> None:
    assert await add(database, "lobby", "Attic") == ["lobby", "Attic"]
    assert await add(database, "LOBBY", "Cellar", "cellar") == ["Cellar"]
    assert list(await ids(database)) == ["Attic", "Cellar", "lobby"]


async def test_fifty_monitors_can_be_listed(database: Database) -> None:
    added = await add(database, *(f"monitor {number}" for number in range(60)))
    assert len(added) == monitors.MAX_MONITORS == len(await ids(database))
    assert await add(database, "one more") == []


async def test_another_tenant_can_neither_see_nor_touch_them(database: Database) -> None:
    await stored(database, rotation("r1"))
    await add(database, "lobby")
    await ask_for(database, "r1")
    known = await ids(database)
    async with database.writing() as session:
        assert await monitors.list_owned(session, "t2", "i1") == []
        assert await monitors.remove(session, "t2", "i1", known.values()) == []
        assert await monitors.list_tasks(session, "t2", "i1") == []
        assert await monitors.last_completed_rotation(session, "t2", "i1") is None
    assert await tick(database, "lobby", tenant="t2") == []
    assert await count_open(database) == 1


async def test_the_last_completed_rotation_succeeded(database: Database) -> None:
    later = NOON + timedelta(days=1)
    await stored(
        database,
        rotation("older", finished_at=NOON - timedelta(days=9)),
        rotation("good", fault="monitors"),
        rotation("failed", fault="entra.refused", step="failed", finished_at=later),
        rotation("certificate", credential="certificate", finished_at=later),
        rotation("running", step="prove", finished_at=None),
    )
    async with database.session() as session:
        found = await monitors.last_completed_rotation(session, "t1", "i1")
    assert found is not None
    assert found.id == "good"


async def test_an_answer_is_one_for_its_own_rotation(database: Database) -> None:
    await stored(database, rotation("r1"), rotation("r2"))
    async with database.writing() as session:
        await history.record(
            session,
            owner_tenant="t1",
            integration_id="i1",
            integration_name="",
            actor_id="ada",
            actor_name="",
            act="monitors_other",
            result=history.DONE,
            facts={"rotation": "r1"},
            now=NOON,
        )
    async with database.session() as session:
        answered = [await monitors.has_answer(session, rotation(r), ["monitors_other"]) for r in ("r1", "r2")]
        assert not await monitors.has_answer(session, rotation("r1"), ["monitors_same"])
    assert answered == [True, False]


async def test_adding_tasks_twice_opens_each_once(database: Database) -> None:
    await stored(database, rotation("r1"))
    await add(database, "lobby", "attic")
    assert await ask_for(database, "r1") == 2
    assert await ask_for(database, "r1") == 0
    assert await count_open(database) == 2


async def test_the_first_person_to_complete_a_task_is_the_one_named(database: Database) -> None:
    await stored(database, rotation("r1"))
    await add(database, "lobby", "attic")
    await ask_for(database, "r1")
    assert await tick(database, "lobby", by="Ada") == ["lobby"]
    assert await tick(database, "lobby", by="Ben", minutes=5) == []
    async with database.session() as session:
        attic, lobby = await monitors.list_tasks(session, "t1", "i1")
    assert (lobby.done_by, lobby.done_at) == ("Ada", NOON)
    assert attic.done_at is None
    assert await count_open(database) == 1


async def test_a_second_rotation_opens_tasks_again_and_one_completion_is_for_both(database: Database) -> None:
    await stored(database, rotation("r1"), rotation("r2", started_at=NOON + timedelta(days=1)))
    await add(database, "lobby")
    await ask_for(database, "r1")
    await ask_for(database, "r2")
    assert await count_open(database) == 1
    assert await tick(database, "lobby") == ["lobby"]
    assert await count_open(database) == 0
    async with database.session() as session:
        assert len(await monitors.list_tasks(session, "t1", "i1")) == 1


async def test_a_removed_monitor_has_no_open_task(database: Database) -> None:
    await stored(database, rotation("r1"))
    await add(database, "lobby", "attic")
    await ask_for(database, "r1")
    known = await ids(database)
    async with database.writing() as session:
        assert await monitors.remove(session, "t1", "i1", [known["lobby"], "no such"]) == ["lobby"]
    assert (list(await ids(database)), await count_open(database)) == (["attic"], 1)
