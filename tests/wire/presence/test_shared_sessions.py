"""Integrations that use one application share each person's session: the strongest wish wins, the last clears."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from core.clock import utc_now
from storage.encryption import Encryption
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import AlreadySetUp
from sync.domain.people import Reason
from sync.domain.presence import LineState, Presence
from sync.presence.mapping import chosen_by
from sync.problems.health import mark_unhealthy
from tests.support.engines import ADMIN, KEY, QUICK, TENANT, RunningEngine, account_of, app_of
from tests.support.eventually import eventually
from tests.support.presence import (
    AVAILABLE,
    IN_A_CALL,
    PRESENTING,
    answer_call,
    connected_engine,
    end_polls,
    presence_requests,
)
from tests.support.services.sandboxes import SandboxHandle
from tests.support.storage.stores import on_sqlite, with_secrets

OTHER = "tenant-of-another-admin"

pytestmark = pytest.mark.usefixtures("each_database")


@asynccontextmanager
async def two_integrations(folder: Path) -> AsyncIterator[tuple[SandboxHandle, RunningEngine, str]]:
    """Two enabled integrations with one application, and the id of the second, which another tenant owns.

    The ids of the application were typed in different letter case.
    """
    async with connected_engine(folder, intervals=replace(QUICK, poll=3600)) as (sandbox, running):
        integrations = running.engine.integrations
        app = app_of(sandbox)
        app = replace(app, tenant_id=app.tenant_id.upper(), client_id=app.client_id.upper())
        second = await integrations.add(OTHER, "Second", account_of(sandbox), app, None, ADMIN)
        await running.engine.overview.preview(OTHER, second.id)
        enabled_at = utc_now()
        await integrations.enable(OTHER, second.id, ADMIN)
        await eventually(lambda: is_polled(running, second.id, enabled_at))
        await end_polls(running)
        yield sandbox, running, second.id


async def is_polled(running: RunningEngine, integration_id: str, since: datetime) -> bool:
    async with running.database.session() as session:
        row = await session.get(Integration, integration_id)
    return bool(row and row.polled_at and row.polled_at >= since)


async def person_of(running: RunningEngine, integration_id: str, name: str = "Ana Martins") -> Person:
    async with running.database.session() as session:
        query = select(Person).where(Person.integration_id == integration_id, Person.name == name)
        return (await session.exec(query)).one()


async def wish(running: RunningEngine, integration_id: str, presence: Presence | None) -> None:
    """Have this integration wish a presence for Ana, as another phone system would, until it is applied.

    A poll that began before may take the wish back; then it is wished again.
    """
    person_id = (await person_of(running, integration_id)).id

    async def is_wished_and_applied() -> bool:
        async with running.database.writing() as session:
            row = await session.get(Person, person_id)
            assert row
            if row.desired == presence:
                return row.applied == presence
            row.desired, row.desired_at, row.due_at = presence, utc_now(), utc_now()
        await running.engine.jobs.defer("push", integration_id)
        return False

    await eventually(is_wished_and_applied)


async def is_applied(running: RunningEngine, integration_id: str, presence: Presence | None) -> bool:
    return (await person_of(running, integration_id)).applied == presence


async def clears(sandbox: SandboxHandle) -> int:
    return sum("clearPresence" in call["url"] for call in await presence_requests(sandbox))


@pytest.mark.parametrize("how", ["disabled", "removed"])
async def test_what_another_integration_wishes_is_not_cleared(tmp_path: Path, how: str) -> None:
    async with two_integrations(tmp_path) as (sandbox, running, second):
        await answer_call(sandbox, "2001")
        for integration in (await running.integration_id(), second):
            await eventually(lambda of=integration: is_applied(running, of, Presence.IN_A_CALL))  # type: ignore[misc]
        if how == "disabled":
            await running.engine.integrations.disable(OTHER, second, ADMIN)
            await eventually(lambda: is_applied(running, second, None))
        else:
            await running.engine.integrations.remove(OTHER, second, ADMIN)
            await eventually(lambda: is_gone(running, second))
        assert await sandbox.shown("2001") == IN_A_CALL
        assert await clears(sandbox) == 0
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)
        assert await clears(sandbox) == 1


async def is_gone(running: RunningEngine, integration_id: str) -> bool:
    async with running.database.session() as session:
        return not (await session.exec(select(Person).where(Person.integration_id == integration_id))).all()


async def test_an_equal_set_up_of_the_same_tenant_leads_to_the_existing_one(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        app = replace(app_of(sandbox), tenant_id=app_of(sandbox).tenant_id.upper())
        with pytest.raises(AlreadySetUp) as caught:
            await running.engine.integrations.add(TENANT, "Again", account_of(sandbox), app, None, ADMIN)
        assert caught.value.id == await running.integration_id()
        assert len(await running.engine.integrations.list(TENANT)) == 1


async def test_the_strongest_wish_wins(tmp_path: Path) -> None:
    async with two_integrations(tmp_path) as (sandbox, running, second):
        first = await running.integration_id()
        await wish(running, second, Presence.PRESENTING)
        await wish(running, first, Presence.IN_A_CALL)
        assert await sandbox.shown("2001") == PRESENTING
        await wish(running, second, None)
        assert await sandbox.shown("2001") == IN_A_CALL
        await wish(running, first, None)
        assert await sandbox.shown("2001") == AVAILABLE


@on_sqlite
async def test_why_names_no_integration_of_another_customer(tmp_path: Path) -> None:
    async with two_integrations(tmp_path) as (sandbox, running, second):
        await answer_call(sandbox, "2001")
        (view,) = await running.engine.integrations.list(OTHER)
        mapping = {**chosen_by({}), LineState.ON_CALL: Presence.PRESENTING}
        await running.engine.mappings.save(OTHER, second, view.revision, mapping, ADMIN)
        await running.wait_until_shown("2001", *PRESENTING)
        ana = await person_of(running, await running.integration_id())

        async def is_named_as_anybodys() -> bool:
            found = await running.engine.roster.explain(TENANT, ana.integration_id, ana.id)
            return (found.reason, found.facts) == (Reason.STRONGER, {"shown": "Presenting"})

        await eventually(is_named_as_anybodys)


async def test_an_integration_whose_credentials_are_refused_wishes_nothing(tmp_path: Path) -> None:
    """Who had access to the application once must not go on through the credentials of the others.

    What it has shown is theirs to change.
    """
    async with two_integrations(tmp_path) as (sandbox, running, second):
        first = await running.integration_id()
        await wish(running, second, Presence.PRESENTING)
        await wish(running, first, Presence.IN_A_CALL)
        assert await sandbox.shown("2001") == PRESENTING
        await lose_access(running, second)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: is_applied(running, first, Presence.IN_A_CALL))
        assert await clears(sandbox) == 0
        await wish(running, first, None)
        assert await sandbox.shown("2001") == AVAILABLE
        await wish(running, first, Presence.IN_A_CALL)
        assert await sandbox.shown("2001") == IN_A_CALL


async def lose_access(running: RunningEngine, integration_id: str) -> None:
    """Entra refuses the integration's secret from now on, and that is known."""
    async with running.database.writing() as session:
        row = await session.get(Integration, integration_id)
        assert row
        with_secrets(row, Encryption([KEY]), client_secret_sealed="withdrawn")
    async with running.database.writing() as session:
        error = CredentialsWrong(Fault.ENTRA_SECRET_WRONG)
        for passed in (timedelta(minutes=1), timedelta(0)):
            await mark_unhealthy(session, integration_id, error, utc_now() - passed)
