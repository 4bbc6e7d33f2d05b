"""What people choose about themselves, while the directory changes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.queries import history
from sync.domain.model import Actor
from sync.people.opt_out import OptOut
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored

ANA = Actor("teams ana", "Ana")


class Interrupted(Database):
    """A database in which something else changes just before each transaction that writes."""

    def __init__(self, database: Database, change: Callable[[], Awaitable[None]]) -> None:
        super().__init__(database.engine, database._transactions)
        self._change = change

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        await self._change()
        async with super().writing() as session:
            yield session


@pytest.mark.parametrize("opted_out", [True, False], ids=["opt out", "opt in"])
@pytest.mark.parametrize(
    "now",
    [{"teams_user_id": "teams bruno"}, {"teams_user_id": None}, {"gone": True}],
    ids=["other", "none", "gone"],
)
async def test_a_choice_is_not_stored_for_someone_who_is_another_users_by_then(
    tmp_path: Path, now: dict[str, Any], opted_out: bool
) -> None:
    jobs = FakeJobs()
    async with empty_store(tmp_path) as database:
        own, theirs = (
            person(name, teams_user_id="teams ana", opted_out=not opted_out) for name in ("own", "theirs")
        )
        await stored(database, *(integration(id=one, tenant_id="t1") for one in ("i1", "i2")))
        await stored(database, own, theirs.sqlmodel_update({"integration_id": "i2"}))

        async def change() -> None:
            await stored(database, (await read_person(database, "theirs")).sqlmodel_update(now))

        await OptOut(context_of(Interrupted(database, change), jobs=jobs)).choose(
            "t1", "teams ana", ANA, opted_out=opted_out
        )
        chosen = {name: (await read_person(database, name)).opted_out for name in ("own", "theirs")}
        async with database.session() as session:
            acts = [act.integration_id for act in await history.page(session, "t1", 0, 10)]
    assert chosen == {"own": opted_out, "theirs": not opted_out}
    assert [key for _, key, _ in jobs.deferred] == acts == ["i1"]
