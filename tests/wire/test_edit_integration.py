"""Editing an integration, against the sandbox: tested before stored, no edit overwritten, nothing left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlmodel import select

from core.clock import utc_now
from storage.encryption import Encryption
from storage.queries import history
from storage.queries.people import people
from storage.tables.columns import UNSURE
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.model import Actor, EditedMeanwhile, IntegrationView, NameTaken, UnknownIntegration
from sync.domain.people import Reason
from tests.support.clocks import NOON
from tests.support.engines import KEY, TENANT, RunningEngine, account_of, app_of, running_engine
from tests.support.eventually import eventually
from tests.support.presence import person_by_extension
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.tenant_router import TenantRouter, give_own_ids, running_tenant_router
from tests.support.storage.people_rows import people_of
from tests.support.storage.stores import decrypted, on_sqlite, stored

pytestmark = pytest.mark.usefixtures("each_database")

ADA, BEN = Actor("ada", "Ada Example"), Actor("ben", "Ben Example")
ANA = "Ana Martins"


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_sandbox() as sandbox, running_engine(sandbox, tmp_path) as running:
        yield running


async def row_of(running: RunningEngine, view: IntegrationView) -> Integration:
    async with running.database.session() as session:
        found = await session.get(Integration, view.id)
    assert found is not None
    return found


async def edits(running: RunningEngine) -> list[HistoryEntry]:
    """What was recorded since the integration was set up and enabled, newest first."""
    async with running.database.session() as session:
        acts = await history.page(session, TENANT, 0, 50)
    return [act for act in acts if act.act not in ("setup", "enable")]


async def test_a_new_name(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    renamed = await running.engine.editor.rename(TENANT, view.id, view.revision, "Porto", ADA)
    assert (renamed.name, renamed.revision) == ("Porto", view.revision + 1)
    (act,) = await edits(running)
    assert (act.act, act.actor_name, act.result, act.facts) == (
        "rename",
        "Ada Example",
        "done",
        {"from": "Vale Verde", "to": "Porto"},
    )


async def test_a_name_is_unique_within_the_tenant(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    integrations, editor = running.engine.integrations, running.engine.editor
    account, app = account_of(running.sandbox), app_of(running.sandbox)
    with pytest.raises(NameTaken):
        await integrations.add(TENANT, "VALE verde", account, app, None, ADA)
    other = await integrations.add(TENANT, "Porto", account, replace(app, client_id="c"), None, ADA)
    with pytest.raises(NameTaken):
        await editor.rename(TENANT, other.id, other.revision, "vale VERDE", ADA)
    await integrations.add("another tenant", "Vale Verde", account, app, None, ADA)
    assert (await editor.rename(TENANT, view.id, view.revision, "VALE VERDE", ADA)).name == "VALE VERDE"


async def test_of_two_concurrent_edits_one_is_refused(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    editor = running.engine.editor
    account, app = account_of(running.sandbox), app_of(running.sandbox)
    outcomes = await asyncio.gather(
        editor.edit_cloudlink(TENANT, view.id, view.revision, replace(account, client_secret=""), ADA),
        editor.edit_teams(TENANT, view.id, view.revision, app, date(2027, 5, 31), BEN),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EditedMeanwhile", "IntegrationView"]
    assert (await row_of(running, view)).revision == view.revision + 1
    assert sorted(act.result for act in await edits(running)) == ["done", "edited_meanwhile"]


@on_sqlite
@pytest.mark.parametrize("tenant", [TENANT, "another tenant"])
async def test_an_unknown_integration_cannot_be_edited(running: RunningEngine, tenant: str) -> None:
    view = await running.connect(enabled=False)
    wanted = view.id if tenant != TENANT else "no such id"
    with pytest.raises(UnknownIntegration):
        await running.engine.editor.rename(tenant, wanted, view.revision, "Ours now", ADA)
    with pytest.raises(UnknownIntegration):
        await running.engine.editor.edit_teams(tenant, wanted, view.revision, app_of(running.sandbox), None, ADA)


async def test_an_old_form_is_refused_before_any_service_is_called(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    await running.engine.editor.rename(TENANT, view.id, view.revision, "Porto", ADA)
    await running.sandbox.clear_log()
    with pytest.raises(EditedMeanwhile):
        await running.engine.editor.edit_cloudlink(TENANT, view.id, view.revision, account_of(running.sandbox), BEN)
    assert [entry for entry in await running.sandbox.log() if "authentication" in str(entry)] == []


@on_sqlite
@pytest.mark.parametrize("edits_it", [True, False], ids=["edit", "setup"])
async def test_a_secret_pasted_seconds_after_it_was_made_is_waited_for(
    running: RunningEngine, edits_it: bool
) -> None:
    """Nothing of other people waits meanwhile: no transaction is open and no refusal is recorded."""
    view = await running.connect(enabled=False)
    await running.sandbox.set_faults(secret_delay_seconds=2.0)
    new = await running.sandbox.new_secret("Second")
    app, waits = replace(app_of(running.sandbox), client_secret=new["value"]), 0

    async def waiting() -> None:
        nonlocal waits
        waits += 1
        await running.engine.integrations.disable(TENANT, view.id, BEN)

    if edits_it:
        await running.engine.editor.edit_teams(TENANT, view.id, view.revision, app, None, ADA, waiting)
    else:
        await running.engine.connection_test.check_teams(TENANT, app, ADA, waiting)
    assert waits >= 1


# The CloudLink side


async def test_a_new_cloudlink_secret_is_tested_and_stored(running: RunningEngine) -> None:
    view = await running.connect()
    secret = await running.sandbox.new_cloudlink_secret()
    account = replace(account_of(running.sandbox), client_secret=secret)
    edited = await running.engine.editor.edit_cloudlink(TENANT, view.id, view.revision, account, ADA)
    row = await row_of(running, edited)
    assert decrypted(Encryption([KEY]), row, "cloudlink_secret_sealed") == secret
    assert (await edits(running))[0].facts == {"new_secret": "yes"}
    await running.sandbox.client(ANA, "Available")
    await running.sandbox.call("2001")
    await running.wait_until_shown(ANA, "Busy", "InACall")


@on_sqlite
async def test_an_empty_cloudlink_secret_keeps_the_stored_one(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    before = decrypted(Encryption([KEY]), await row_of(running, view), "cloudlink_secret_sealed")
    kept = replace(account_of(running.sandbox), client_secret="")
    await running.engine.editor.edit_cloudlink(TENANT, view.id, view.revision, kept, ADA)
    assert decrypted(Encryption([KEY]), await row_of(running, view), "cloudlink_secret_sealed") == before


def cloudlink_side(row: Integration) -> dict[str, Any]:
    """The columns an edit of the CloudLink side writes; the engine's jobs write others at any time."""
    edited = ("revision", "webhook_token_sealed", "webhook_token_hash")
    return {name: value for name, value in row if name.startswith("cloudlink_") or name in edited}


@on_sqlite
async def test_what_cloudlink_refuses_is_not_stored(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    before = cloudlink_side(await row_of(running, view))
    wrong = replace(account_of(running.sandbox), client_secret="nothing of the sort")
    with pytest.raises(CredentialsWrong) as caught:
        await running.engine.editor.edit_cloudlink(TENANT, view.id, view.revision, wrong, ADA)
    assert caught.value.fault is Fault.CLOUDLINK_REFUSED
    assert cloudlink_side(await row_of(running, view)) == before


async def test_another_account_gets_a_new_webhook_endpoint(running: RunningEngine) -> None:
    """Events of the former account must not be taken for another person's phone."""
    view = await running.connect()
    before = await row_of(running, view)
    await running.sandbox.client(ANA, "Available")
    await running.sandbox.call("2001")
    await running.wait_until_shown(ANA, "Busy", "InACall")
    await running.sandbox.hangup("2001")
    running.sandbox.world.saved.account.id = "2000200030"
    account = account_of(running.sandbox)
    edited = await running.engine.editor.edit_cloudlink(TENANT, view.id, view.revision, account, ADA)
    assert edited.cloudlink_account_id == "2000200030"
    assert (await row_of(running, view)).webhook_token_hash != before.webhook_token_hash
    await eventually(running._is_subscribed)
    assert before.subscription_id not in running.sandbox.world.saved.subscriptions
    old_token = decrypted(Encryption([KEY]), before, "webhook_token_sealed")
    old_webhook_url = f"{running.public_url}/webhooks/cloudlink/{old_token}"
    async with running.http.post(old_webhook_url, json={}) as answer:
        assert answer.status == 404
    await running.wait_until_shown(ANA, "Available", "Available")
    await running.sandbox.call("2001")
    await running.wait_until_shown(ANA, "Busy", "InACall")


# The Teams side


async def test_another_secret_of_the_same_application(running: RunningEngine) -> None:
    view = await running.connect()
    await stored(running.database, _rotation(view))
    secret = (await running.sandbox.new_secret())["value"]
    app = replace(app_of(running.sandbox), client_secret=secret)
    editor = running.engine.editor
    edited = await editor.edit_teams(TENANT, view.id, view.revision, app, date(2027, 5, 31), ADA)
    assert edited.secret_expires_on == date(2027, 5, 31)
    row = await row_of(running, view)
    assert (decrypted(Encryption([KEY]), row, "client_secret_sealed"), row.expiry_source) == (secret, "admin")
    async with running.database.session() as session:
        (rotation,) = (await session.exec(select(Rotation))).all()
    assert (rotation.fault, rotation.secret_sealed, rotation.due_at) == ("edited", None, None)
    assert rotation.finished_at is not None
    assert secret not in repr(await edits(running))


def _rotation(view: IntegrationView) -> Rotation:
    return Rotation(
        integration_id=view.id,
        owner_tenant=TENANT,
        kind="for_me",
        step="nowhere",
        secret_sealed="sealed",
        started_at=NOON,
    )


@on_sqlite
async def test_what_microsoft_refuses_is_not_stored_and_nothing_is_cleared(running: RunningEngine) -> None:
    view = await running.connect()
    await running.sandbox.client(ANA, "Available")
    await running.sandbox.call("2001")
    await running.wait_until_shown(ANA, "Busy", "InACall")
    before = await row_of(running, view)
    unknown = "99999999-0000-4000-8000-000000000009"
    elsewhere = replace(app_of(running.sandbox), client_id=unknown, client_secret="not of Azure, so not waited for")
    with pytest.raises(SyncError) as caught:
        await running.engine.editor.edit_teams(TENANT, view.id, view.revision, elsewhere, None, ADA)
    assert caught.value.fault is Fault.ENTRA_CLIENT_UNKNOWN
    row = await row_of(running, view)
    assert (row.client_id, row.revision, row.client_secret_sealed) == (
        before.client_id,
        before.revision,
        before.client_secret_sealed,
    )
    assert await running.sandbox.shown(ANA) == ("Busy", "InACall")


@on_sqlite
async def test_another_application_needs_its_own_secret(running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    await running.sandbox.clear_log()
    app = replace(app_of(running.sandbox), tenant_id="99999999-0000-4000-8000-000000000009", client_secret="")
    with pytest.raises(CredentialsWrong) as caught:
        await running.engine.editor.edit_teams(TENANT, view.id, view.revision, app, None, ADA)
    assert caught.value.fault is Fault.ENTRA_SECRET_WRONG
    assert [entry for entry in await running.sandbox.log() if app.tenant_id in str(entry)] == []


@on_sqlite
async def test_wrong_credentials_fixed_by_hand_work_immediately(running: RunningEngine) -> None:
    view = await running.connect()
    await running.sandbox.client(ANA, "Available")
    secret = (await running.sandbox.new_secret())["value"]
    for known in list(running.sandbox.world.saved.registration.secrets)[:-1]:
        await running.sandbox.expire_secret(known.key_id)
    await running.engine.connection_test.test(TENANT, view.id, ADA)
    await running.sandbox.call("2001")
    app = replace(app_of(running.sandbox), client_secret=secret)
    await running.engine.editor.edit_teams(TENANT, view.id, view.revision, app, None, ADA)
    await running.wait_until_shown(ANA, "Busy", "InACall")
    assert all(health.error is None for health in (await running.status()).service_health)


@asynccontextmanager
async def two_tenants(
    folder: Path,
) -> AsyncIterator[tuple[RunningEngine, SandboxHandle, SandboxHandle, TenantRouter]]:
    """An engine whose Entra and Graph know two tenants."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_sandbox())
        second = await stack.enter_async_context(running_sandbox())
        give_own_ids(second)
        url, router = await stack.enter_async_context(running_tenant_router(first, second))
        running = await stack.enter_async_context(running_engine(replace(first, url=url), folder))
        yield running, first, second, router


async def test_another_tenant(tmp_path: Path) -> None:
    """Presence is cleared in the old tenant with the old credentials, then matched and shown in the new one."""
    async with two_tenants(tmp_path) as (running, old, new, _):
        view = await running.connect()
        for sandbox in (old, new):
            await sandbox.client(ANA, "Available")
        await old.call("2001")
        await eventually(lambda: _shows(old, "Busy", "InACall"))
        editor = running.engine.editor
        edited = await editor.edit_teams(TENANT, view.id, view.revision, app_of(new), None, ADA)
        assert await old.shown(ANA) == ("Available", "Available")
        assert edited.tenant_id == new.world.saved.registration.tenant_id
        await eventually(lambda: _shows(new, "Busy", "InACall"))
        await old.hangup("2001")
        await eventually(lambda: _shows(new, "Available", "Available"))
        assert await old.shown(ANA) == ("Available", "Available")
        assert (await edits(running))[0].facts.keys() == {"tenant_id", "client_id", "new_secret"}


async def test_a_crash_between_clearing_and_storing_leaves_all_people_to_be_reconciled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_tenants(tmp_path) as (running, old, new, _):
        view = await running.connect()
        await old.client(ANA, "Available")
        await old.call("2001")
        await eventually(lambda: _shows(old, "Busy", "InACall"))
        await running.wait_until_sent()

        async def die(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(people, "unmatch_all", die)
        editor = running.engine.editor
        with pytest.raises(RuntimeError):
            await editor.edit_teams(TENANT, view.id, view.revision, app_of(new), None, ADA)
        assert await old.shown(ANA) == ("Available", "Available")
        assert (await row_of(running, view)).tenant_id == view.tenant_id
        async with running.database.session() as session:
            (ana,) = [one for one in await people_of(session, view.id) if one.name == ANA]
        assert (ana.applied, ana.desired) == (UNSURE, "Busy/InACall")
        assert ana.due_at is not None
        assert ana.due_at <= utc_now() + timedelta(seconds=60)


async def test_another_tenant_when_the_old_credentials_no_longer_work(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (running, old, new, _):
        view = await running.connect()
        for sandbox in (old, new):
            await sandbox.client(ANA, "Available")
        await old.call("2001")
        await eventually(lambda: _shows(old, "Busy", "InACall"))
        await old.registration_switch("deleted")
        await old.set_faults(graph_outage=True)
        editor = running.engine.editor
        await editor.edit_teams(TENANT, view.id, view.revision, app_of(new), None, ADA)
        await eventually(lambda: _shows(new, "Busy", "InACall"))


async def test_another_tenant_while_presence_is_off(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (running, _, new, _front):
        view = await running.connect(enabled=False)
        matched = (await running.status()).matched
        editor = running.engine.editor
        await editor.edit_teams(TENANT, view.id, view.revision, app_of(new), None, ADA)
        assert (await running.status()).matched == matched > 0
        await running.engine.integrations.enable(TENANT, view.id, ADA)
        await new.client(ANA, "Available")
        await running.sandbox.call("2001")
        await eventually(lambda: _shows(new, "Busy", "InACall"))


@on_sqlite
async def test_who_is_not_matched_in_the_new_tenant_yet_is_not_left_out(tmp_path: Path) -> None:
    """CloudLink, whose people are to be matched, is away meanwhile."""
    async with two_tenants(tmp_path) as (running, old, new, _):
        view = await running.connect(enabled=False)
        await old.set_faults(cloudlink_outage=True)
        await running.engine.editor.edit_teams(TENANT, view.id, view.revision, app_of(new), None, ADA)
        await running.engine.integrations.enable(TENANT, view.id, ADA)
        ana = await person_by_extension(running, "2001")
        assert (await running.engine.roster.explain(TENANT, view.id, ana.id)).reason is Reason.NOT_READ
        await old.set_faults(cloudlink_outage=False)
        await running.engine.overview.preview(TENANT, view.id)
        assert (await running.engine.roster.explain(TENANT, view.id, ana.id)).reason is not Reason.NOT_READ


async def _shows(sandbox: SandboxHandle, availability: str, activity: str) -> bool:
    return await sandbox.shown(ANA) == (availability, activity)
