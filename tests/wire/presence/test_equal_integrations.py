"""One tenant has no two integrations with the same CloudLink account, Entra tenant and application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from storage.queries import history, integrations
from sync.domain.model import AlreadySetUp, IntegrationView
from tests.support.engines import ADMIN, TENANT, RunningEngine, account_of, app_of, running_engine
from tests.support.services.sandboxes import running_sandbox
from tests.support.storage.stores import on_sqlite

pytestmark = pytest.mark.usefixtures("each_database")

OTHER = "tenant-of-another-admin"
ELSEWHERE = "99999999-0000-4000-8000-000000000009"
MOVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "account": ({"account_id": ELSEWHERE}, {}),
    "tenant": ({}, {"tenant_id": ELSEWHERE}),
    "application": ({}, {"client_id": ELSEWHERE}),
}
"""What the second integration has otherwise than the first: of the account, and of the application."""


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_sandbox() as sandbox, running_engine(sandbox, tmp_path) as running:
        yield running


async def add(running: RunningEngine, owner: str, name: str, differing: str) -> IntegrationView:
    of_account, of_app = MOVES[differing]
    account, app = replace(account_of(running.sandbox), **of_account), replace(app_of(running.sandbox), **of_app)
    return await running.engine.integrations.add(owner, name, account, app, None, ADMIN)


def move(
    running: RunningEngine, second: IntegrationView, differing: str, owner: str = TENANT
) -> Awaitable[IntegrationView]:
    """Edit ``second`` to what the sandbox's first integration has, its ids written in capitals."""
    editor, account, app = running.engine.editor, account_of(running.sandbox), app_of(running.sandbox)
    if differing == "account":
        capitals = replace(account, account_id=f" {account.account_id.upper()}")
        return editor.edit_cloudlink(owner, second.id, second.revision, capitals, ADMIN)
    capitals_app = replace(app, tenant_id=app.tenant_id.upper(), client_id=app.client_id.upper())
    return editor.edit_teams(owner, second.id, second.revision, capitals_app, None, ADMIN)


@pytest.mark.parametrize("differing", MOVES)
async def test_an_edit_does_not_make_two_equal(running: RunningEngine, differing: str) -> None:
    """It is refused before a service is called or presence cleared: all services are out. It is recorded."""
    first = await running.connect(enabled=False)
    second = await add(running, TENANT, "Second", differing)
    await running.sandbox.set_faults(entra_outage=True, graph_outage=True, cloudlink_outage=True)
    with pytest.raises(AlreadySetUp) as caught:
        await move(running, second, differing)
    assert caught.value.id == first.id
    assert (await running.engine.integrations.list(TENANT))[1].revision == second.revision
    async with running.database.session() as session:
        newest = (await history.page(session, TENANT, 0, 1))[0]
    assert newest.result == "already_set_up"


async def test_an_equal_one_of_another_tenant_does_not_matter(running: RunningEngine) -> None:
    await running.connect(enabled=False)
    for differing in ("tenant", "application"):
        owner = f"{OTHER}-{differing}"
        second = await add(running, owner, "Second", differing)
        edited = await move(running, second, differing, owner)
        assert edited.revision == second.revision + 1


@on_sqlite
async def test_an_edit_that_moves_nothing_is_allowed(running: RunningEngine) -> None:
    """Also of an integration that has an equal one, stored before such were refused."""
    first = await running.connect(enabled=False)
    second = await add(running, TENANT, "Second", "account")
    account = account_of(running.sandbox)
    async with running.database.writing() as session:
        row = await integrations.get_for_update(session, second.id)
        assert row is not None
        row.cloudlink_account_id = account.account_id
    edited = await running.engine.editor.edit_cloudlink(TENANT, first.id, first.revision, account, ADMIN)
    assert edited.revision == first.revision + 1


async def test_of_two_who_set_up_the_same_at_once_one_is_refused(running: RunningEngine) -> None:
    adding = [add(running, TENANT, name, "account") for name in ("First", "Second")]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["AlreadySetUp", "IntegrationView"]
    assert len(await running.engine.integrations.list(TENANT)) == 1


async def test_of_two_who_move_to_the_same_at_once_one_is_refused(running: RunningEngine) -> None:
    seconds = [await add(running, TENANT, differing, differing) for differing in ("tenant", "application")]
    moving = [move(running, each, each.name) for each in seconds]
    outcomes = await asyncio.gather(*moving, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["AlreadySetUp", "IntegrationView"]
