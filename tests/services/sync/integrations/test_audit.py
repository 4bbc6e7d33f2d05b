"""Each operation on integrations is recorded: a success with the change, a failure with its key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import history, integrations
from storage.tables.problems import Problem
from sync.audit import Act, AuditLog, Subject
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    EditedMeanwhile,
    ExpirySource,
    NameTaken,
    Rule,
    RuleKind,
    TeamsApp,
    TeamsCheck,
    TooManyIntegrations,
    UnknownIntegration,
)
from sync.domain.presence import LineState
from sync.domain.schedule import Period, Schedule
from sync.integrations.service import IntegrationService
from sync.operations import Operations
from sync.people.scope.rules import Scope, ScopeMode
from sync.presence.mapping import QUIET, chosen_by
from tests.support.bot.fake_operations import real_operations
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
ADA = Actor("ada", "Ada Example")
ACCOUNT = CloudLinkAccount("eu", "42", "reader", "cloudlink-s3cret")
APP = TeamsApp("entra", "app", "teams-s3cret")
REFUSED = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="User.Read.All")

DAY = date(2027, 1, 31)
ALL_WEEK = Schedule("UTC", ((Period(time(9), time(18)),),) * 7)
NIGHT_SHIFT = Scope(ScopeMode.ONLY, (Rule(RuleKind.EXTENSIONS, "200-299"),))

Operation = Callable[[Operations, str, int], Awaitable[object]]
"""On the integration of this id, begun at this revision."""

CHANGES: dict[Act, Operation] = {
    Act.ENABLE: lambda operations, name, _: operations.integrations.enable("t1", name, ADA),
    Act.DISABLE: lambda operations, name, _: operations.integrations.disable("t1", name, ADA),
    Act.REMOVE: lambda operations, name, _: operations.integrations.remove("t1", name, ADA),
    Act.TEST: lambda operations, name, _: operations.connection_test.test("t1", name, ADA),
    Act.RENAME: lambda operations, name, at: operations.editor.rename("t1", name, at, "Porto", ADA),
    Act.EDIT_CLOUDLINK: lambda operations, name, at: operations.editor.edit_cloudlink("t1", name, at, ACCOUNT, ADA),
    Act.EDIT_TEAMS: lambda operations, name, at: operations.editor.edit_teams("t1", name, at, APP, None, ADA),
}
EDITS = (Act.RENAME, Act.EDIT_CLOUDLINK, Act.EDIT_TEAMS)


@dataclass
class Site:
    """One integration with two others in its tenant, and what is recorded of them."""

    database: Database
    context: Context
    clients: FakeServiceClients
    operations: Operations

    async def acts(self) -> list[tuple[str, str, str, str]]:
        """Act, result, integration and actor, newest first."""
        async with self.database.session() as session:
            found = await history.page(session, "t1", 0, 100)
        return [(act.act, act.result, act.integration_name, act.actor_name) for act in found]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    rows = (integration(), integration(id="i2", name="Lisbon"))
    async with empty_store(tmp_path) as database:
        await stored(database, *(with_secrets(row, ENCRYPTION, **secrets) for row in rows))
        clients = FakeServiceClients()
        context = context_of(database, clients)
        yield Site(database, context, clients, real_operations(context, ENCRYPTION))


SAVES: dict[Act, Operation] = {
    Act.RENAME: CHANGES[Act.RENAME],
    Act.EDIT_TEAMS: lambda operations, name, at: operations.editor.edit_teams(
        "t1", name, at, replace(APP, client_id="app 2", client_secret="" if at > 1 else "s3cret"), DAY, ADA
    ),
    Act.MAPPING: lambda operations, name, at: operations.mappings.save(
        "t1", name, at, {**chosen_by({}), **QUIET}, ADA
    ),
    Act.SCHEDULE: lambda operations, name, at: operations.schedules.save("t1", name, at, ALL_WEEK, ADA),
    Act.STATUS_TEXT: lambda operations, name, at: operations.messages.save(
        "t1", name, at, {LineState.ON_CALL: "On the phone"}, ADA
    ),
    Act.SCOPE: lambda operations, name, at: operations.scopes.save("t1", name, at, NIGHT_SHIFT, ADA),
}


@pytest.mark.parametrize("act", SAVES)
async def test_a_save_that_changes_nothing_makes_no_other_form_outdated(site: Site, act: Act) -> None:
    """It is no new revision, and nothing that was done."""
    await SAVES[act](site.operations, "i1", 1)
    await SAVES[act](site.operations, "i1", 2)
    assert (await read_integration(site.database)).revision == 2
    assert [each[0] for each in await site.acts()] == [act.value]


@pytest.mark.parametrize("act", CHANGES)
async def test_a_success_is_recorded_once_under_the_name_it_had(site: Site, act: Act) -> None:
    await CHANGES[act](site.operations, "i1", 1)
    assert await site.acts() == [(act.value, "done", "Vale Verde", "Ada Example")]


async def test_since_when_presence_is_enabled_changes_with_being_enabled_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = site.operations.integrations
    await service.disable("t1", "i1", ADA)
    assert (await read_integration(site.database)).enabled_at is None
    await service.enable("t1", "i1", ADA)
    monkeypatch.setattr(service, "_clock", lambda: NOON + timedelta(hours=1))
    await service.enable("t1", "i1", ADA)
    assert (await read_integration(site.database)).enabled_at == NOON


async def test_status_says_since_when_calls_are_shown(site: Site) -> None:
    """Not since a problem that concerns something else."""
    hour = timedelta(hours=1)
    async with site.database.writing() as session:
        row = await integrations.get_for_update(session, "i1")
        assert row
        row.enabled_at, row.last_change_at = NOON - 9 * hour, NOON
        for service, healed_at in (("graph", NOON - 5 * hour), ("entra", NOON - 4 * hour), ("clock", NOON)):
            session.add(
                Problem(
                    integration_id="i1",
                    service=service,
                    fault="x",
                    since=NOON,
                    checked_at=NOON,
                    healed_at=healed_at,
                )
            )
    assert (await site.operations.overview.status("t1", "i1")).shown_since == NOON - 4 * hour


async def test_a_change_that_cannot_be_recorded_is_not_stored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(history, "record", fail)
    with pytest.raises(RuntimeError):
        await site.operations.integrations.disable("t1", "i1", ADA)
    assert (await read_integration(site.database)).enabled


@pytest.mark.parametrize("act", CHANGES)
async def test_an_unknown_integration_is_not_recorded(site: Site, act: Act) -> None:
    with pytest.raises(UnknownIntegration):
        await CHANGES[act](site.operations, "no such id", 1)
    assert await site.acts() == []


@pytest.mark.parametrize("act", EDITS)
async def test_an_edit_that_comes_too_late_is_recorded_as_such(site: Site, act: Act) -> None:
    with pytest.raises(EditedMeanwhile):
        await CHANGES[act](site.operations, "i1", 7)
    assert await site.acts() == [(act.value, "edited_meanwhile", "Vale Verde", "Ada Example")]


@pytest.mark.parametrize("act", [Act.EDIT_CLOUDLINK, Act.EDIT_TEAMS])
async def test_refused_credentials_are_recorded_with_fault_and_context(site: Site, act: Act) -> None:
    site.clients.cloudlink.error = site.clients.graph.error = REFUSED
    with pytest.raises(SyncError):
        await CHANGES[act](site.operations, "i1", 1)
    assert await site.acts() == [(act.value, "graph.consent_missing", "Vale Verde", "Ada Example")]
    async with site.database.session() as session:
        (found,) = await history.page(session, "t1", 0, 1)
    assert found.facts["permissions"] == "User.Read.All"


async def test_a_connection_test_is_recorded_with_its_first_failure(site: Site) -> None:
    site.clients.graph.error = REFUSED
    await site.operations.connection_test.test("t1", "i1", ADA)
    assert await site.acts() == [("test", "graph.consent_missing", "Vale Verde", "Ada Example")]


async def test_a_name_that_is_taken_is_recorded(site: Site) -> None:
    with pytest.raises(NameTaken):
        await site.operations.editor.rename("t1", "i1", 1, "LISBON", ADA)
    with pytest.raises(NameTaken):
        await site.operations.integrations.add("t1", "lisbon", ACCOUNT, APP, None, ADA)
    assert sorted(await site.acts()) == [
        ("rename", "name_taken", "Vale Verde", "Ada Example"),
        ("setup", "name_taken", "lisbon", "Ada Example"),
    ]


async def test_a_setup_is_recorded_with_the_new_integration(site: Site) -> None:
    typed, found = NOON.date() + timedelta(30), TeamsCheck("Contoso", "key-1", NOON.date() + timedelta(40))
    view = await site.operations.integrations.add("t1", "Porto", ACCOUNT, APP, typed, ADA, check=found)
    assert (view.secret_expires_on, view.expiry_source) == (found.expires_on, ExpirySource.GRAPH)
    assert (await read_integration(site.database, view.id)).secret_key_id == found.secret_id
    async with site.database.session() as session:
        (act,) = await history.page(session, "t1", 0, 10)
    assert (act.act, act.result, act.integration_id, act.integration_name) == ("setup", "done", view.id, "Porto")


async def test_a_check_before_saving_is_recorded_only_when_it_fails(site: Site) -> None:
    check = site.operations.connection_test
    await check.check_cloudlink("t1", ACCOUNT, ADA)
    await check.check_teams("t1", APP, ADA)
    assert await site.acts() == []
    site.clients.cloudlink.error = site.clients.graph.error = REFUSED
    with pytest.raises(SyncError):
        await check.check_cloudlink("t1", ACCOUNT, ADA)
    with pytest.raises(SyncError):
        await check.check_teams("t1", APP, ADA)
    assert sorted(await site.acts()) == [
        ("check_cloudlink", "graph.consent_missing", "", "Ada Example"),
        ("check_teams", "graph.consent_missing", "", "Ada Example"),
    ]


async def test_reading_is_not_recorded(site: Site) -> None:
    await site.operations.integrations.list("t1")
    await site.operations.overview.status("t1", "i1")
    await site.operations.overview.preview("t1", "i1")
    assert await site.acts() == []


async def test_no_secret_is_recorded(site: Site) -> None:
    await site.operations.editor.edit_cloudlink("t1", "i1", 1, ACCOUNT, ADA)
    await site.operations.editor.edit_teams("t1", "i1", 2, APP, None, ADA)
    async with site.database.session() as session:
        kept = str([act.facts for act in await history.page(session, "t1", 0, 10)])
    assert "s3cret" not in kept
    assert "new_secret" in kept


async def test_an_unexpected_error_is_recorded_as_failed_without_its_message(site: Site) -> None:
    audit = AuditLog(site.database, lambda: NOON)
    with pytest.raises(RuntimeError):
        async with audit.attempt(Act.TEST, ADA, Subject("t1", "i1")):
            raise RuntimeError("s3cret")
    assert await site.acts() == [("test", "failed", "Vale Verde", "Ada Example")]


async def test_a_tenant_has_no_more_integrations_than_the_setting_allows(site: Site) -> None:
    async with site.database.session() as session:
        limit = len(await integrations.list_owned(session, "t1")) + 1
    service = IntegrationService(site.context, CredentialStore(ENCRYPTION), limit=limit)
    await service.check_room("t1")
    both = [service.add("t1", name, ACCOUNT, APP, None, ADA) for name in ("Porto", "Faro")]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["IntegrationView", "TooManyIntegrations"]
    with pytest.raises(TooManyIntegrations):
        await service.check_room("t1")
    await service.add("another tenant", "Porto", ACCOUNT, APP, None, ADA)
    assert "too_many_integrations" in {result for _, result, *_ in await site.acts()}
