"""A role is checked in the transaction that relies on it; its removal is stored entirely before or after."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.activity import Message
from bot.chat.authority import RoleWithdrawn, acting
from bot.chat.context import Proceed, TurnContext
from bot.chat.conversation import PersonalChatOnly
from bot.commands.health import channel_alerts
from storage.database import Database
from storage.queries.chat import conversations, roles
from storage.queries.health import alerts
from storage.tables.roles import Member
from sync.domain.roles import Role
from sync.jobs.runs import job_run
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, TENANT, RecordingTurn, incoming
from tests.support.clocks import NOON
from tests.support.storage.shared_store import two_processes
from tests.support.storage.stores import both_databases as both_databases
from tests.support.storage.stores import stored

OTHER = "the other owner"


def owner(person: str) -> Member:
    return Member(id=person, owner_tenant=TENANT, user_object_id=person, role=Role.OWNER, invited_at=NOON)


def turn_of(person: str) -> TurnContext:
    nothing = cast(Any, None)
    return TurnContext(RecordingTurn(incoming(Message("x"), person=person, tenant=TENANT)), nothing, nothing)


@pytest_asyncio.fixture
async def both(tmp_path: Path, both_databases: str) -> AsyncIterator[tuple[Database, Database]]:
    async with two_processes(tmp_path, owner(ADMIN), owner(OTHER)) as pair:
        yield pair


async def act(database: Database, order: list[str], needed: Role = Role.ADMINISTRATOR) -> None:
    with acting(turn_of(ADMIN), needed):
        async with database.writing():
            order.append("acted")


async def remove(database: Database, order: list[str]) -> None:
    async with database.writing() as session:
        await roles.change_role(session, TENANT, ADMIN, Role.OWNER, None, OTHER, [])
    order.append("removed")


async def test_an_act_under_way_is_stored_before_the_removal(both: tuple[Database, Database]) -> None:
    one, other = both
    order: list[str] = []
    with acting(turn_of(ADMIN), Role.ADMINISTRATOR):
        async with one.writing() as session:
            removal = asyncio.create_task(remove(other, order))
            for _ in range(20):
                await conversations.find(session, TENANT, ADMIN)
            order.append("acted")
    await removal
    assert order == ["acted", "removed"]
    with pytest.raises(RoleWithdrawn):
        await act(one, order)


async def test_an_act_waits_for_a_removal_under_way_and_is_refused(both: tuple[Database, Database]) -> None:
    one, other = both
    order: list[str] = []
    async with other.writing() as session:
        await roles.change_role(session, TENANT, ADMIN, Role.OWNER, None, OTHER, [])
        acting_now = asyncio.create_task(act(one, order))
        for _ in range(20):
            await conversations.find(session, TENANT, ADMIN)
        order.append("removed")
    with pytest.raises(RoleWithdrawn):
        await acting_now
    assert order == ["removed"]


async def test_a_role_that_became_less_allows_less(both: tuple[Database, Database]) -> None:
    one, other = both
    order: list[str] = []
    async with other.writing() as session:
        await roles.change_role(session, TENANT, ADMIN, Role.OWNER, Role.ADMINISTRATOR, OTHER, [])
    await act(one, order)
    with pytest.raises(RoleWithdrawn):
        await act(one, order, Role.OWNER)
    assert order == ["acted"]


async def test_two_owners_who_act_on_each_other_do_not_wait_for_ever(both: tuple[Database, Database]) -> None:
    async def take(database: Database, by: str, whom: str) -> None:
        with acting(turn_of(by), Role.OWNER):
            async with database.writing() as session:
                await roles.change_role(session, TENANT, whom, Role.OWNER, None, by, [])

    outcomes = await asyncio.gather(
        take(both[0], ADMIN, OTHER), take(both[1], OTHER, ADMIN), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "RoleWithdrawn"]


async def test_what_a_job_writes_is_not_checked(both: tuple[Database, Database], chat: Chat) -> None:
    with acting(turn_of("nobody"), Role.OWNER), job_run("push", chat.metrics):
        async with both[0].writing():
            pass


async def test_alerts_are_not_turned_on_in_a_channel_after_the_role_is_gone(chat: Chat) -> None:
    chat.admins = ()
    chat.restart()
    chat.personal = False
    await stored(chat.database, owner(ADMIN))

    async def losing_the_role(context: TurnContext) -> None:
        async with chat.database.session() as session:
            await session.delete(await roles.find(session, TENANT, ADMIN))
        await channel_alerts.set_alerts(context, is_on=True)

    async def proceed() -> None:
        raise AssertionError

    await PersonalChatOnly(lambda _: losing_the_role)(chat.context(Message("alerts here")), cast(Proceed, proceed))
    async with chat.database.session() as session:
        assert await alerts.list_channels(session, TENANT) == []
