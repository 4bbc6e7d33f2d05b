"""The host's own certificate is used for an Entra tenant only after a proof of control, or as the operator listed.

Two Entra tenants trust the same host. The administrator of one tries to have it speak for the other.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import col, update

from core.clock import utc_now
from storage.queries import history
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from sync.audit import Act
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import BOT, Actor, CredentialKind, IntegrationView, TeamsApp
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials
from tests.support.engines import RunningEngine, account_of, app_of, running_engine
from tests.support.eventually import eventually
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.tenant_router import TenantRouter, give_own_ids, running_tenant_router

pytestmark = pytest.mark.usefixtures("each_database")

ADA, BIA = Actor("ada", "Ada of the first"), Actor("bia", "Bia of the second")


@dataclass
class TwoTenants:
    """Two Entra tenants, each the own one of a Teams tenant, and one host whose certificate both have."""

    running: RunningEngine
    ours: SandboxHandle
    theirs: SandboxHandle
    router: TenantRouter

    @property
    def our_tenant(self) -> str:
        return self.ours.world.saved.registration.tenant_id

    @property
    def their_tenant(self) -> str:
        return self.theirs.world.saved.registration.tenant_id

    async def connect(self, owner: str, sandbox: SandboxHandle) -> IntegrationView:
        engine = self.running.engine
        return await engine.integrations.add(owner, "Vale Verde", account_of(self.ours), app_of(sandbox), None, BIA)

    async def use_host(self, owner: str, view: IntegrationView) -> IntegrationView:
        credentials = self.running.engine.credentials
        rotation = await credentials.use_host_certificate(owner, view.id, BIA)

        async def is_done() -> bool:
            shown = await credentials.rotation(owner, view.id)
            return shown is not None and shown.id == rotation.id and shown.finished

        await eventually(is_done)
        return await self.view(owner, view)

    async def view(self, owner: str, view: IntegrationView) -> IntegrationView:
        found = await self.running.engine.integrations.list(owner)
        return next(one for one in found if one.id == view.id)

    async def move(self, owner: str, view: IntegrationView, app: TeamsApp) -> IntegrationView:
        return await self.running.engine.editor.edit_teams(owner, view.id, view.revision, app, None, BIA)

    async def token_fault(self, view: IntegrationView) -> Fault | None:
        probes = await self.running.engine.connection_test.test(self.our_tenant, view.id, BIA)
        (token,) = [probe for probe in probes if probe.step == "token"]
        return token.error.fault if token.error else None

    async def history(self, owner: str) -> list[HistoryEntry]:
        async with self.running.database.session() as session:
            return await history.page(session, owner, 0, 50)


@asynccontextmanager
async def two_tenants(folder: Path, listed: bool = False) -> AsyncIterator[TwoTenants]:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(running_sandbox())
        theirs = await stack.enter_async_context(running_sandbox())
        give_own_ids(theirs)
        made = certificates.generate("The host", utc_now())
        path = folder / "host.pem"
        path.write_text(made.pem)
        for sandbox in (ours, theirs):
            await sandbox.post("registration/certificates", {"pem": made.public})
        pair = (ours.world.saved.registration.tenant_id, theirs.world.saved.registration.tenant_id)
        host = HostCredentials(path, allowed=frozenset([pair]) if listed else frozenset())
        url, router = await stack.enter_async_context(running_tenant_router(ours, theirs))
        running = await stack.enter_async_context(
            running_engine(replace(ours, url=url), folder, webhooks=False, host=host)
        )
        yield TwoTenants(running, ours, theirs, router)


def without_secret(sandbox: SandboxHandle) -> TeamsApp:
    return replace(app_of(sandbox), client_secret="")


async def test_an_administrator_cannot_take_over_another_tenant(tmp_path: Path) -> None:
    """An integration of their own, switched to the host's certificate, then moved with an empty secret."""
    async with two_tenants(tmp_path) as two:
        view = await two.connect(two.our_tenant, two.ours)
        view = await two.use_host(two.our_tenant, view)
        assert view.credential is CredentialKind.CERTIFICATE
        asked = len(two.router.log)
        with pytest.raises(CredentialsWrong) as refused:
            await two.move(two.our_tenant, view, without_secret(two.theirs))
        assert refused.value.fault is Fault.ENTRA_HOST_NOT_ALLOWED
        assert not [path for tenant, path in two.router.log[asked:] if tenant == two.their_tenant]
        assert (await two.view(two.our_tenant, view)).tenant_id == two.our_tenant
        last = (await two.history(two.our_tenant))[0]
        assert (last.act, last.result) == (Act.EDIT_TEAMS, Fault.ENTRA_HOST_NOT_ALLOWED)


async def test_nor_by_the_host_after_a_move_that_was_proved(tmp_path: Path) -> None:
    """What a secret proved for one application holds for no other."""
    async with two_tenants(tmp_path) as two:
        view = await two.use_host(two.our_tenant, await two.connect(two.our_tenant, two.theirs))
        other = replace(without_secret(two.theirs), client_id="00000000-0000-4000-8000-000000000000")
        with pytest.raises(CredentialsWrong) as refused:
            await two.move(two.our_tenant, view, other)
        assert refused.value.fault is Fault.ENTRA_HOST_NOT_ALLOWED


async def test_the_owner_of_the_entra_tenant_sees_the_attempt_and_not_who_made_it(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as two:
        view = await two.use_host(two.our_tenant, await two.connect(two.our_tenant, two.ours))
        for _ in range(3):
            with pytest.raises(CredentialsWrong):
                await two.move(two.our_tenant, view, without_secret(two.theirs))
        (seen,) = await two.history(two.their_tenant)
        assert (seen.act, seen.result) == (Act.ENTRA_TENANT_USED, Fault.ENTRA_HOST_NOT_ALLOWED)
        assert (seen.actor_id, seen.integration_id, seen.integration_name) == (BOT.id, "", "")
        assert seen.facts == {"client_id": two.theirs.world.saved.registration.client_id}


async def test_the_refusal_is_the_same_for_a_tenant_that_is_here_and_one_that_is_not(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as two:
        view = await two.use_host(two.our_tenant, await two.connect(two.our_tenant, two.ours))
        await two.connect(two.their_tenant, two.theirs)
        refusals = []
        for tenant in (two.their_tenant, "00000000-0000-4000-8000-000000000000"):
            with pytest.raises(CredentialsWrong) as refused:
                await two.move(two.our_tenant, view, replace(without_secret(two.theirs), tenant_id=tenant))
            refusals.append(str(refused.value))
        assert refusals[0] == refusals[1]


async def test_an_own_secret_proves_control_until_the_next_move(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as two:
        view = await two.connect(two.our_tenant, two.theirs)
        view = await two.use_host(two.our_tenant, view)
        assert await two.token_fault(view) is None
        seen = await two.history(two.their_tenant)
        assert [(one.act, one.result, one.actor_id) for one in seen] == [
            (Act.ENTRA_TENANT_USED, history.DONE, BOT.id)
        ] * 2
        async with two.running.database.writing() as session:
            moved = update(Integration).where(col(Integration.id) == view.id)
            await session.exec(moved.values(client_id=two.ours.world.saved.registration.client_id))
        assert await two.token_fault(view) is Fault.ENTRA_HOST_NOT_ALLOWED


async def test_a_secret_that_is_not_accepted_proves_nothing(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as two:
        view = await two.connect(two.our_tenant, two.theirs)
        for secret in two.theirs.world.saved.registration.secrets:
            await two.theirs.expire_secret(secret.key_id)
        with pytest.raises(CredentialsWrong) as refused:
            await two.running.engine.credentials.use_host_certificate(two.our_tenant, view.id, BIA)
        assert refused.value.fault is Fault.ENTRA_SECRET_EXPIRED
        assert (await two.view(two.our_tenant, view)).credential is CredentialKind.SECRET


async def test_the_operator_may_list_a_tenant_for_another(tmp_path: Path) -> None:
    async with two_tenants(tmp_path, listed=True) as two:
        view = await two.use_host(two.our_tenant, await two.connect(two.our_tenant, two.ours))
        moved = await two.move(two.our_tenant, view, without_secret(two.theirs))
        assert (moved.tenant_id, moved.credential) == (two.their_tenant, CredentialKind.CERTIFICATE)
        (seen,) = await two.history(two.their_tenant)
        assert (seen.act, seen.result) == (Act.ENTRA_TENANT_USED, history.DONE)


async def test_what_was_stored_before_this_rule_is_stopped_with_its_own_problem(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as two:
        view = await two.connect(two.our_tenant, two.theirs)
        async with two.running.database.writing() as session:
            stored = update(Integration).where(col(Integration.id) == view.id)
            await session.exec(stored.values(credential=CredentialKind.CERTIFICATE.value))
        await two.running.engine.integrations.enable(two.our_tenant, view.id, BIA)

        async def is_reported() -> bool:
            status = await two.running.engine.overview.status(two.our_tenant, view.id)
            faults = [health.error.fault for health in status.service_health if health.error]
            return Fault.ENTRA_HOST_NOT_ALLOWED in faults

        await eventually(is_reported)
