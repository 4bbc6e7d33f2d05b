"""What was done is kept, newest first, for its own tenant alone."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.queries import history, integrations
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, stored


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_store(tmp_path) as opened:
        yield opened


async def record(database: Database, act: str, at: datetime = NOON, **values: Any) -> None:
    given: dict[str, Any] = {
        "owner_tenant": "t1",
        "integration_id": "i1",
        "integration_name": "Vale Verde",
        "actor_id": "ada",
        "actor_name": "Ada",
        "result": history.DONE,
        "facts": {},
    }
    async with database.writing() as session:
        await history.record(session, act=act, now=at, **{**given, **values})


async def acts(database: Database, offset: int = 0, limit: int = 10, **which: str) -> list[str]:
    async with database.session() as session:
        found = await history.page(session, which.get("tenant", "t1"), offset, limit, which.get("of", ""))
    return [act.act for act in found]


async def test_newest_first_and_by_pages(database: Database) -> None:
    for number in (3, 1, 2, 4):
        await record(database, f"act {number}", NOON + timedelta(minutes=number))
    assert await acts(database) == ["act 4", "act 3", "act 2", "act 1"]
    assert await acts(database, offset=1, limit=2) == ["act 3", "act 2"]
    assert await acts(database, offset=9) == []


async def test_another_tenant_sees_nothing_of_it(database: Database) -> None:
    await record(database, "enable")
    assert await acts(database, tenant="t2", of="i1") == []
    async with database.session() as session:
        assert await history.count(session, "t2") == 0
        assert await history.latest(session, "t2", "i1", ["enable"]) is None
        assert await history.slice_after(session, "t2", "", None, 10) == []


async def test_of_one_integration(database: Database) -> None:
    await record(database, "enable")
    await record(database, "disable", integration_id="i2")
    assert await acts(database, of="i2") == ["disable"]
    async with database.session() as session:
        assert (await history.count(session, "t1"), await history.count(session, "t1", "i1")) == (2, 1)


async def test_it_outlives_the_integration(database: Database) -> None:
    await stored(database, integration())
    await record(database, "remove")
    async with database.writing() as session:
        await integrations.delete_one(session, "i1")
    assert await acts(database) == ["remove"]


async def test_the_latest_act_succeeded_and_is_of_the_given_acts(database: Database) -> None:
    await record(database, "rename", NOON)
    await record(database, "edit_teams", NOON + timedelta(minutes=1), result="entra.refused")
    await record(database, "test", NOON + timedelta(minutes=2))
    async with database.session() as session:
        found = await history.latest(session, "t1", "i1", ["rename", "edit_teams"])
    assert found is not None
    assert found.act == "rename"


async def test_slices_hold_each_act_once_also_when_acts_are_added_between_them(database: Database) -> None:
    for number in range(7):
        await record(database, str(number), NOON + timedelta(minutes=number // 3))
    await record(database, "of another tenant", owner_tenant="t2")
    found: list[str] = []
    last = None
    while True:
        async with database.session() as session:
            acts = await history.slice_after(session, "t1", "", last, 2)
        if not acts:
            break
        found += [act.act for act in acts]
        last = acts[-1]
        await record(database, "added meanwhile", NOON + timedelta(hours=1))
    assert [set(found[:1]), set(found[1:4]), set(found[4:])] == [set("6"), set("345"), set("012")]
    assert len(found) == 7


async def test_names_from_outside_are_capped(database: Database) -> None:
    await record(database, "rename", integration_name="x" * 5000, actor_name="y" * 5000)
    async with database.session() as session:
        (act,) = await history.page(session, "t1", 0, 10)
    assert (len(act.integration_name), len(act.actor_name)) == (history.MAX_NAME, history.MAX_NAME)
