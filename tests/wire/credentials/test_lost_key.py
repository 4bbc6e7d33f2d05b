"""The encryption key is lost: a problem of the integrations it encrypted, fixed by entering the secrets again."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select
from structlog.testing import capture_logs

from core.clock import utc_now
from storage.encryption import Encryption
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Actor, Freshness, IntegrationView, Service
from sync.domain.rotation import NewSecret, RotationKind, RotationStep, RotationView
from tests.support.engines import KEY, QUICK, TENANT, RunningEngine, account_of, app_of, running_engine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import decrypted, read_integration, stored, with_secrets

ADMIN = Actor("admin-1", "Ada Admin")
NEW_KEY = Fernet.generate_key().decode()
ATTENTIVE = replace(QUICK, poll_with_webhooks=0.4, check_subscription=0.3, match=0.5)


OTHER = "tenant-of-another-admin"


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxHandle]:
    async with running_sandbox() as sandbox:
        yield sandbox


async def sealed_by_the_lost_key(
    sandbox: SandboxHandle, folder: Path, secrets: Mapping[str, str] | None = None, **values: Any
) -> str:
    """An enabled integration from before; returns its id. ``values`` and ``secrets`` overwrite stored columns."""
    async with running_engine(sandbox, folder) as before:
        view = await before.connect()
        await before.wait_until_sent()
        async with before.database.writing() as session:
            row = await session.get(Integration, view.id)
            assert row is not None
            session.add(with_secrets(row.sqlmodel_update(values), Encryption([KEY]), **(secrets or {})))
    return view.id


@asynccontextmanager
async def without_the_key(sandbox: SandboxHandle, folder: Path, **options: Any) -> AsyncIterator[RunningEngine]:
    async with running_engine(sandbox, folder, keys=(NEW_KEY,), intervals=ATTENTIVE, **options) as running:
        yield running


async def faults(running: RunningEngine, view_id: str, owner: str = TENANT) -> dict[Service, Fault]:
    status = await running.engine.overview.status(owner, view_id)
    return {health.service: health.error.fault for health in status.service_health if health.error}


async def talk(sandbox: SandboxHandle, extension: str) -> None:
    await sandbox.answer(extension, await sandbox.ring(extension))


async def enter_again(running: RunningEngine, sandbox: SandboxHandle, view_id: str) -> None:
    """What an administrator does: edit the CloudLink side, replace the client secret."""
    view = await view_of(running, view_id)
    await running.engine.editor.edit_cloudlink(TENANT, view_id, view.revision, account_of(sandbox), ADMIN)
    secret = app_of(sandbox).client_secret
    rotation = await running.engine.credentials.replace_secret(TENANT, view_id, NewSecret(secret), ADMIN)
    assert (await finished(running, rotation)).step == RotationStep.DONE


async def view_of(running: RunningEngine, view_id: str) -> IntegrationView:
    return next(view for view in await running.engine.integrations.list(TENANT) if view.id == view_id)


async def finished(running: RunningEngine, rotation: RotationView) -> RotationView:
    async def is_finished() -> bool:
        return (await current()).finished

    async def current() -> RotationView:
        found = await running.engine.credentials.rotation(TENANT, rotation.integration_id)
        assert found is not None
        return found

    await eventually(is_finished)
    return await current()


async def test_both_secrets_are_reported_lost_once_and_entering_them_again_fixes_it(
    sandbox: SandboxHandle, tmp_path: Path
) -> None:
    view_id = await sealed_by_the_lost_key(sandbox, tmp_path)
    (old_subscription,) = sandbox.world.saved.subscriptions
    with capture_logs() as logs:
        async with without_the_key(sandbox, tmp_path) as running:
            await talk(sandbox, "2001")
            await running.engine.jobs.defer("poll", view_id)

            async def both_are_lost() -> bool:
                return await faults(running, view_id) == {
                    Service.CLOUDLINK: Fault.SECRET_UNREADABLE,
                    Service.ENTRA: Fault.SECRET_UNREADABLE,
                }

            await running.engine.connection_test.test(TENANT, view_id, ADMIN)
            await eventually(both_are_lost)
            with pytest.raises(CredentialsWrong, match="unreadable"):
                await running.engine.overview.preview(TENANT, view_id)
            await enter_again(running, sandbox, view_id)
            await running.wait_until_shown("2001", *IN_A_CALL)
            assert await faults(running, view_id) == {}

            async def is_subscribed_again() -> bool:
                status = await running.engine.overview.status(TENANT, view_id)
                now = set(sandbox.world.saved.subscriptions)
                return status.freshness is Freshness.NO_EVENT and len(now) == 1 and old_subscription not in now

            await eventually(is_subscribed_again)
            before = running.metric("webhooks_total", answer="accepted")
            await talk(sandbox, "2002")
            await running.wait_until_shown("2002", *IN_A_CALL)
            assert running.metric("webhooks_total", answer="accepted") > before
            row = await read_integration(running.database, view_id)
    for column in ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed"):
        assert decrypted(Encryption([NEW_KEY]), row, column)
    assert sorted(line["service"] for line in logs if line["event"] == "service_unhealthy") == [
        "cloudlink",
        "entra",
    ]
    assert len([line for line in logs if line["event"] == "webhook_endpoint_replaced"]) == 1
    assert not [line for line in logs if line["event"] == "job_failed"]


async def test_other_integrations_are_not_affected(sandbox: SandboxHandle, tmp_path: Path) -> None:
    lost = await sealed_by_the_lost_key(sandbox, tmp_path)
    async with without_the_key(sandbox, tmp_path) as running:
        integrations = running.engine.integrations
        view = await integrations.add(OTHER, "Another", account_of(sandbox), app_of(sandbox), None, ADMIN)
        await running.engine.overview.preview(OTHER, view.id)
        await integrations.enable(OTHER, view.id, ADMIN)
        await running.engine.connection_test.test(TENANT, lost, ADMIN)
        await talk(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        assert await faults(running, view.id, OTHER) == {}
        assert set(await faults(running, lost)) == {Service.CLOUDLINK, Service.ENTRA}


async def test_restoring_the_key_ends_the_problem(sandbox: SandboxHandle, tmp_path: Path) -> None:
    view_id = await sealed_by_the_lost_key(sandbox, tmp_path)
    async with without_the_key(sandbox, tmp_path) as running:
        await running.engine.connection_test.test(TENANT, view_id, ADMIN)
        assert await faults(running, view_id)
    async with running_engine(sandbox, tmp_path, keys=(NEW_KEY, KEY), intervals=ATTENTIVE) as running:
        await talk(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)

        async def is_well() -> bool:
            return await faults(running, view_id) == {}

        await eventually(is_well)


async def test_the_integration_can_be_removed_too(sandbox: SandboxHandle, tmp_path: Path) -> None:
    view_id = await sealed_by_the_lost_key(sandbox, tmp_path)
    async with without_the_key(sandbox, tmp_path) as running:
        await running.engine.integrations.remove(TENANT, view_id, ADMIN)

        async def is_gone() -> bool:
            async with running.database.session() as session:
                return not (await session.exec(select(Integration))).all()

        await eventually(is_gone)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (RotationKind.ON_REQUEST, RotationStep.ADD),
        (RotationKind.ON_REQUEST, RotationStep.WAIT),
        (RotationKind.AUTOMATIC, RotationStep.SWAP),
        (RotationKind.ON_REQUEST, RotationStep.PROVE),
        (RotationKind.ON_REQUEST, RotationStep.UNDO),
        (RotationKind.MANUAL, RotationStep.PROVE),
    ],
)
async def test_a_rotation_in_progress_fails_immediately_and_blocks_nothing(
    kind: RotationKind, step: RotationStep, sandbox: SandboxHandle, tmp_path: Path
) -> None:
    previous = {"previous_secret_sealed": "{}"} if step is RotationStep.PROVE else {}
    view_id = await sealed_by_the_lost_key(sandbox, tmp_path, previous)
    async with running_engine(sandbox, tmp_path, webhooks=False, keys=(NEW_KEY,)) as running:
        rotation = Rotation(
            integration_id=view_id,
            owner_tenant=TENANT,
            kind=kind,
            step=step,
            new_key_id="key-1",
            started_at=utc_now(),
            due_at=utc_now(),
        )
        await stored(running.database, with_secrets(rotation, Encryption([KEY]), secret_sealed="the new one"))
        await running.engine.jobs.defer("rotate", view_id)
        begun = await running.engine.credentials.rotation(TENANT, view_id)
        assert begun is not None
        ended = await finished(running, begun)
        assert ended.step == RotationStep.FAILED
        assert ended.error is not None
        assert ended.error.fault is Fault.SECRET_UNREADABLE
        await enter_again(running, sandbox, view_id)
        row = await read_integration(running.database, view_id)
        assert row.previous_secret_sealed is None


async def test_a_certificate_that_was_handed_out_is_made_again(sandbox: SandboxHandle, tmp_path: Path) -> None:
    view_id = await sealed_by_the_lost_key(sandbox, tmp_path, {"pending_certificate_sealed": "the private key"})
    async with running_engine(sandbox, tmp_path, webhooks=False, keys=(NEW_KEY,)) as running:
        made = await running.engine.credentials.make_certificate(TENANT, view_id, ADMIN)
        assert await running.engine.credentials.make_certificate(TENANT, view_id, ADMIN) == made
        row = await read_integration(running.database, view_id)
        assert decrypted(Encryption([NEW_KEY]), row, "pending_certificate_sealed")


async def test_a_certificate_in_use_can_be_replaced_by_a_secret(sandbox: SandboxHandle, tmp_path: Path) -> None:
    view_id = await sealed_by_the_lost_key(
        sandbox, tmp_path, {"certificate_sealed": "the private key"}, credential="certificate"
    )
    async with running_engine(sandbox, tmp_path, webhooks=False, keys=(NEW_KEY,)) as running:
        await running.engine.connection_test.test(TENANT, view_id, ADMIN)
        assert (await faults(running, view_id))[Service.ENTRA] is Fault.SECRET_UNREADABLE
        await enter_again(running, sandbox, view_id)
        await talk(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
