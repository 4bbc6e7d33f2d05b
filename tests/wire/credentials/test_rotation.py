"""Changes of credentials against the sandbox's Entra ID and Graph, by the whole engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from core.clock import utc_now
from storage.encryption import Encryption
from storage.queries import history
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.rotations import Monitor, Rotation
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Actor, CredentialKind, ExpirySource, IntegrationView, Service, UnknownIntegration
from sync.domain.rotation import NewSecret, OldSecretLeft, RotationStep, RotationUnderWay, RotationView
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials
from sync.teams.managed_identity import AUDIENCE, managed_identity
from tests.support.engines import KEY, QUICK, TENANT, RunningEngine, app_of, running_engine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.servers import TestServer
from tests.support.storage.stores import on_sqlite, read_integration, stored

pytestmark = pytest.mark.usefixtures("each_database")

ADMIN = Actor("admin-1", "Ada Admin")
PATIENT = replace(QUICK, rotation_lease=5.0)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[SandboxHandle]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def running(sandbox: SandboxHandle, tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_engine(sandbox, tmp_path, webhooks=False, intervals=PATIENT) as running:
        yield running


async def owned(sandbox: SandboxHandle) -> None:
    await sandbox.permissions(Application_ReadWrite_OwnedBy=True)


async def finished(running: RunningEngine, rotation: RotationView, within: float = 60.0) -> RotationView:
    """The rotation once it has ended."""

    async def is_finished() -> bool:
        return (await current(running, rotation)).finished

    await eventually(is_finished, within)
    return await current(running, rotation)


async def current(running: RunningEngine, rotation: RotationView) -> RotationView:
    found = await running.engine.credentials.rotation(TENANT, rotation.integration_id)
    assert found is not None
    assert found.id == rotation.id
    return found


async def row(running: RunningEngine) -> Integration:
    return await read_integration(running.database, await running.integration_id())


async def secret_of(running: RunningEngine) -> str:
    return CredentialStore(Encryption([KEY])).app(await row(running)).client_secret


async def acts(running: RunningEngine) -> list[tuple[str, str, str]]:
    from sqlmodel import col, select

    async with running.database.session() as session:
        found = (await session.exec(select(HistoryEntry).order_by(col(HistoryEntry.at)))).all()
    return [(act.act, act.result, act.actor_name) for act in found]


def live_secrets(sandbox: SandboxHandle) -> list[str]:
    return [secret.value for secret in sandbox.world.saved.registration.secrets]


# By hand


async def test_a_new_secret_is_tested_stored_and_the_old_one_deleted(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    view = await running.connect()
    await running.wait_until_sent()
    new = await sandbox.new_secret("Second")
    expires_on = utc_now().date() + timedelta(days=100)
    rotation = await running.engine.credentials.replace_secret(
        TENANT, view.id, NewSecret(new["value"], expires_on, "Second"), ADMIN
    )
    done = await finished(running, rotation)
    assert (done.step, done.error) == (RotationStep.DONE, None)
    integration = await row(running)
    assert integration.previous_secret_sealed is None
    assert (integration.name, integration.secret_expires_on) == (view.name, expires_on)
    assert integration.expiry_source == ExpirySource.ADMIN
    assert await secret_of(running) == new["value"]
    assert ("rotate", "done", "Ada Admin") in await acts(running)
    assert ("rotate_proven", "done", "Ada Admin") in await acts(running)


@on_sqlite
async def test_a_secret_pasted_seconds_after_it_was_made_is_waited_for(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    view = await running.connect()
    await sandbox.set_faults(secret_delay_seconds=0.5)
    new = await sandbox.new_secret("Second")
    await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(new["value"]), ADMIN)
    assert await secret_of(running) == new["value"]


async def test_presence_changes_during_an_expired_secret_are_sent_immediately_after(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    view = await running.connect()
    await running.wait_until_sent()
    for secret in list(sandbox.world.saved.registration.secrets):
        await sandbox.expire_secret(secret.key_id)
    sandbox.world.saved.signing_key += "x"  # Graph no longer accepts earlier tokens
    await sandbox.call("2001")
    await eventually(lambda: has_problem(running))
    assert await sandbox.shown("2001") == AVAILABLE
    new = await sandbox.new_secret()
    rotation = await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(new["value"]), ADMIN)
    await running.wait_until_shown("2001", *IN_A_CALL)
    assert (await finished(running, rotation)).step is RotationStep.DONE
    assert not await has_problem(running)


async def has_problem(running: RunningEngine) -> bool:
    return any(health.error for health in (await running.status()).service_health)


@on_sqlite
@pytest.mark.parametrize(
    ("secret", "fault"),
    [("nobody's~secret", Fault.ENTRA_SECRET_WRONG), ("", Fault.ENTRA_SECRET_IS_ID)],
)
async def test_a_wrong_secret_changes_nothing(
    sandbox: SandboxHandle, running: RunningEngine, secret: str, fault: Fault
) -> None:
    view = await running.connect()
    before = await secret_of(running)
    pasted = secret or sandbox.world.saved.registration.secrets[0].key_id
    with pytest.raises(CredentialsWrong) as caught:
        await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(pasted), ADMIN)
    assert caught.value.fault is fault
    assert await secret_of(running) == before
    assert (await row(running)).name == view.name
    assert await running.engine.credentials.rotation(TENANT, view.id) is None


async def test_another_tenants_administrator_can_do_nothing(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect()
    new, credentials = await sandbox.new_secret(), running.engine.credentials
    with pytest.raises(UnknownIntegration):
        await credentials.replace_secret("other", view.id, NewSecret(new["value"]), ADMIN)
    with pytest.raises(UnknownIntegration):
        await credentials.start_rotation("other", view.id, ADMIN)
    with pytest.raises(UnknownIntegration):
        await credentials.make_certificate("other", view.id, ADMIN)


@pytest.mark.long
async def test_a_new_secret_refused_after_the_swap_falls_back_and_is_retried(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    """Entra's servers do not all get a new secret at the same time."""
    view = await running.connect(enabled=False)
    old, new = await secret_of(running), await sandbox.new_secret()
    known = sandbox.world.saved.registration.secret(new["keyId"])
    assert known is not None
    async with after_proof(running, lambda: setattr(known, "accepted_from", utc_now() + timedelta(seconds=4))):
        rotation = await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(new["value"]), ADMIN)
    await eventually(lambda: has_secret(running, old))
    assert (await current(running, rotation)).error is not None
    assert (await finished(running, rotation)).step is RotationStep.DONE
    assert await secret_of(running) == new["value"]
    assert ("rotate_fell_back", Fault.ENTRA_SECRET_WRONG.value, "Ada Admin") in await acts(running)


@asynccontextmanager
async def after_proof(running: RunningEngine, happens: Any) -> AsyncIterator[None]:
    """Run something right after the first test of credentials inside the block."""
    clients = running.engine.credentials._clients
    prove = clients.prove

    async def then(app: Any) -> None:
        await prove(app)
        happens()
        clients.prove = prove  # type: ignore[method-assign]

    clients.prove = then  # type: ignore[method-assign]
    yield


async def has_secret(running: RunningEngine, secret: str) -> bool:
    return await secret_of(running) == secret


# Read from Graph


async def test_the_expiry_is_read_from_graph_once_permitted(sandbox: SandboxHandle, running: RunningEngine) -> None:
    await sandbox.new_secret("Other")
    await running.connect()
    assert (await row(running)).expiry_source == ""
    unread = await running.engine.connection_test.check_teams(TENANT, app_of(sandbox), ADMIN)
    await sandbox.permissions(Application_Read_All=True)
    check = await running.engine.connection_test.check_teams(TENANT, app_of(sandbox), ADMIN)
    async with restarted(running) as again:
        await eventually(lambda: knows_expiry(again))
        integration = await row(again)
        used = sandbox.world.saved.registration.secrets[-1]
        assert (integration.secret_expires_on, integration.secret_key_id) == (used.end.date(), used.key_id)
        assert (unread.expires_on, check.expires_on, check.secret_id) == (None, used.end.date(), used.key_id)


@asynccontextmanager
async def restarted(running: RunningEngine) -> AsyncIterator[RunningEngine]:
    """Another engine on the same store, a day later for the daily jobs."""
    async with running.database.writing() as session:
        integration = await session.get(Integration, await running.integration_id())
        assert integration is not None
        integration.expiry_checked_at = None
        session.add(integration)
    url = running.database.engine.url.render_as_string(hide_password=False)
    async with running_engine(running.sandbox, url=url, webhooks=False, intervals=PATIENT) as again:
        yield again


async def knows_expiry(running: RunningEngine) -> bool:
    return (await row(running)).expiry_source == ExpirySource.GRAPH


@on_sqlite
async def test_without_permission_graph_is_not_called(sandbox: SandboxHandle, running: RunningEngine) -> None:
    await running.connect()
    await eventually(lambda: is_checked(running))
    assert (await row(running)).expiry_source == ""
    assert not [entry for entry in await sandbox.log() if "applications" in entry["path"]]


async def is_checked(running: RunningEngine) -> bool:
    return (await row(running)).expiry_checked_at is not None


# For me


async def test_an_automatic_rotation_leaves_one_secret_of_ours(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    await owned(sandbox)
    await sandbox.set_faults(secret_delay_seconds=1.5)
    view = await running.connect()
    await running.wait_until_sent()
    old = await secret_of(running)
    await sandbox.call("2001")
    assert await running.engine.credentials.may_rotate(TENANT, view.id)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    steps: list[RotationStep] = []
    while not steps or steps[-1] not in (RotationStep.DONE, RotationStep.FAILED):
        steps += [seen.step async for seen in running.engine.credentials.follow(TENANT, rotation.id)]
    assert steps[-1] is RotationStep.DONE
    assert RotationStep.WAIT in steps
    done = await finished(running, rotation)
    assert not done.old_left
    (left,) = live_secrets(sandbox)
    assert left != old
    assert await secret_of(running) == left
    integration = await row(running)
    assert (integration.expiry_source, integration.previous_secret_sealed) == ("graph", None)
    assert integration.secret_expires_on == sandbox.world.saved.registration.secrets[0].end.date()
    await running.wait_until_shown("2001", *IN_A_CALL)
    assert ("rotate_begun", "done", "Ada Admin") in await acts(running)


async def test_a_rotation_requested_twice_is_done_once(sandbox: SandboxHandle, running: RunningEngine) -> None:
    await owned(sandbox)
    await sandbox.set_faults(secret_delay_seconds=1.0)
    view = await running.connect(enabled=False)
    credentials, pressed = running.engine.credentials, replace(ADMIN, press="card/rotate.start")
    first = await credentials.start_rotation(TENANT, view.id, pressed)
    assert (await credentials.start_rotation(TENANT, view.id, ADMIN)).id == first.id
    old = await secret_of(running)
    with pytest.raises(RotationUnderWay):
        await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(old), ADMIN)
    await finished(running, first)
    assert (await credentials.start_rotation(TENANT, view.id, pressed)).id == first.id
    assert await credentials.begun(TENANT, view.id, replace(ADMIN, press="another/rotate.start")) is None
    with pytest.raises(UnknownIntegration):
        await credentials.begun("other", view.id, pressed)
    assert len(live_secrets(sandbox)) == 1


async def test_without_permission_it_fails_with_the_reason(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect()
    assert not await running.engine.credentials.may_rotate(TENANT, view.id)
    before = live_secrets(sandbox)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    failed = await finished(running, rotation)
    assert failed.step is RotationStep.FAILED
    assert failed.error is not None
    assert failed.error.fault is Fault.GRAPH_ROTATION_FORBIDDEN
    assert live_secrets(sandbox) == before
    assert ("rotate_failed", Fault.GRAPH_ROTATION_FORBIDDEN.value, "Ada Admin") in await acts(running)


async def test_a_secret_that_monitors_may_share_is_left_alone(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    await owned(sandbox)
    view = await running.connect(enabled=False)
    await stored(
        running.database,
        Monitor(owner_tenant=TENANT, integration_id=view.id, name="Monitor 1", created_at=utc_now()),
    )
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    assert (await finished(running, rotation)).old_left
    assert len(live_secrets(sandbox)) == 2


@pytest.mark.long
async def test_monitors_get_a_secret_of_their_own_that_nothing_here_keeps(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    """What an attempt of the same link added, and lost before it was shown, is removed."""
    view = await running.connect()
    make, mark = running.engine.monitor_secrets.make, "f" * 32
    with pytest.raises(CredentialsWrong) as refused:
        await make(TENANT, view.id, mark, ADMIN)
    assert refused.value.fault is Fault.GRAPH_ROTATION_FORBIDDEN
    await owned(sandbox)
    in_use = live_secrets(sandbox)
    lost = await make(TENANT, view.id, mark, ADMIN)
    made = await make(TENANT, view.id, mark, ADMIN)
    assert live_secrets(sandbox) == [*in_use, made.value]
    assert lost.value != made.value
    await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(made.value), ADMIN)
    assert made.name.endswith(mark)
    assert ("monitors_own", "graph.rotation_forbidden", "Ada Admin") in await acts(running)
    assert ("monitors_own", "done", "Ada Admin") in await acts(running)
    with pytest.raises(UnknownIntegration):
        await make("another-tenant", view.id, mark, ADMIN)


@on_sqlite
@pytest.mark.parametrize(("longest", "days"), [(45, 30), pytest.param(100, 90, marks=pytest.mark.long)])
async def test_a_policy_that_caps_lifetimes_gets_a_shorter_secret(
    sandbox: SandboxHandle, running: RunningEngine, longest: int, days: int
) -> None:
    await owned(sandbox)
    await sandbox.set_faults(longest_secret_days=longest)
    view = await running.connect(enabled=False)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    done = await finished(running, rotation)
    assert (done.step, done.old_left) == (RotationStep.DONE, None)
    assert done.expires_on == utc_now().date() + timedelta(days=days)


@on_sqlite
@pytest.mark.parametrize(
    ("faults", "fault"),
    [
        ({"secrets_forbidden": True}, Fault.GRAPH_SECRETS_FORBIDDEN),
        pytest.param({"longest_secret_days": 7}, Fault.GRAPH_SECRET_TOO_LONG, marks=pytest.mark.long),
    ],
)
async def test_a_policy_that_allows_no_secret_is_named(
    sandbox: SandboxHandle, running: RunningEngine, faults: dict[str, Any], fault: Fault
) -> None:
    await owned(sandbox)
    await sandbox.set_faults(**faults)
    view = await running.connect(enabled=False)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    failed = await finished(running, rotation)
    assert failed.step is RotationStep.FAILED
    assert failed.error is not None
    assert failed.error.fault is fault


# A secret that several integrations hold


async def another(running: RunningEngine, view: IntegrationView, owner: str = TENANT) -> str:
    """The id of an integration with the same application and secret, and another CloudLink account."""
    store, first = CredentialStore(Encryption([KEY])), await read_integration(running.database, view.id)
    values = {**first.model_dump(), "id": f"of-{owner}", "owner_tenant": owner, "name": f"Second of {owner}"}
    values |= {"cloudlink_account_id": f"account of {owner}", "webhook_token_hash": f"hash of {owner}"}
    second = Integration(**values)
    for column in ("client_secret_sealed", "cloudlink_secret_sealed", "webhook_token_sealed"):
        setattr(second, column, store.encrypt(store.decrypt(first, column, Service.ENTRA), second, column))
    await stored(running.database, second)
    return second.id


async def secret_in(running: RunningEngine, integration_id: str) -> str:
    found = await read_integration(running.database, integration_id)
    return CredentialStore(Encryption([KEY])).app(found).client_secret


@pytest.mark.parametrize("by_hand", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_a_shared_secret_is_replaced_for_every_integration_before_it_is_removed(
    sandbox: SandboxHandle, running: RunningEngine, by_hand: bool
) -> None:
    await owned(sandbox)
    view = await running.connect(enabled=False)
    old, second = await secret_of(running), await another(running, view)
    foreign = await another(running, view, "another-customer")
    credentials = running.engine.credentials
    if by_hand:
        typed = NewSecret((await sandbox.new_secret())["value"])
        rotation = await credentials.replace_secret(TENANT, view.id, typed, ADMIN)
    else:
        rotation = await credentials.start_rotation(TENANT, view.id, ADMIN)
        with pytest.raises(RotationUnderWay):
            await credentials.start_rotation(TENANT, second, ADMIN)
    assert (await finished(running, rotation)).old_left is None
    new = await secret_of(running)
    assert new != old
    assert await secret_in(running, second) == new
    assert await secret_in(running, foreign) == old
    assert live_secrets(sandbox) == ([old, new] if by_hand else [new])
    await eventually(lambda: is_proven(running, second))


async def is_proven(running: RunningEngine, integration_id: str) -> bool:
    view = await running.engine.credentials.rotation(TENANT, integration_id)
    return view is not None and view.finished and view.step is RotationStep.DONE


@pytest.mark.long
async def test_monitors_of_an_integration_that_shares_the_secret_count_too(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    await owned(sandbox)
    view = await running.connect(enabled=False)
    second = await another(running, view)
    monitor = Monitor(owner_tenant=TENANT, integration_id=second, name="Lobby", created_at=utc_now())
    await stored(running.database, monitor)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    assert (await finished(running, rotation)).old_left is OldSecretLeft.MONITORS


@pytest.mark.long
async def test_a_rotation_waits_for_an_outage_to_end(sandbox: SandboxHandle, running: RunningEngine) -> None:
    await owned(sandbox)
    await sandbox.set_faults(secret_delay_seconds=0.5)
    view = await running.connect(enabled=False)
    rotation = await running.engine.credentials.start_rotation(TENANT, view.id, ADMIN)
    await sandbox.set_faults(graph_outage=True, entra_outage=True)
    await eventually(lambda: held_up(running, rotation))
    await sandbox.set_faults(graph_outage=False, entra_outage=False)
    assert (await finished(running, rotation)).step is RotationStep.DONE
    assert len(live_secrets(sandbox)) == 1


async def held_up(running: RunningEngine, rotation: RotationView) -> bool:
    return (await current(running, rotation)).error is not None


# By itself


async def test_auto_rotate_changes_the_secret_thirty_days_before_it_expires(
    sandbox: SandboxHandle, running: RunningEngine
) -> None:
    await owned(sandbox)
    sandbox.world.saved.registration.secrets[-1].end = utc_now() + timedelta(days=29)
    view = await running.connect()
    await eventually(lambda: knows_expiry(running))
    assert await running.engine.credentials.rotation(TENANT, view.id) is None
    await running.engine.credentials.set_auto_rotate(TENANT, view.id, True, ADMIN)
    await eventually(lambda: has_rotation(running, view))
    rotation = await running.engine.credentials.rotation(TENANT, view.id)
    assert rotation is not None
    assert (await finished(running, rotation)).step is RotationStep.DONE
    assert len(live_secrets(sandbox)) == 1
    async with running.database.session() as session:
        stored_rotation = await session.get(Rotation, rotation.id)
    assert stored_rotation is not None
    assert (stored_rotation.kind, stored_rotation.started_by) == ("automatic", "bot")
    assert stored_rotation.secret_sealed is None
    assert ("auto_rotate", "done", "Ada Admin") in await acts(running)


async def has_rotation(running: RunningEngine, view: IntegrationView) -> bool:
    return await running.engine.credentials.rotation(TENANT, view.id) is not None


@on_sqlite
async def test_a_secret_far_from_expiry_is_not_rotated(sandbox: SandboxHandle, running: RunningEngine) -> None:
    await owned(sandbox)
    view = await running.connect()
    await running.engine.credentials.set_auto_rotate(TENANT, view.id, True, ADMIN)
    await eventually(lambda: knows_expiry(running))
    await running.wait_until_sent()
    assert await running.engine.credentials.rotation(TENANT, view.id) is None
    assert len(live_secrets(sandbox)) == 1


# A certificate, or no secret at all


async def test_a_certificate_made_here_replaces_the_secret(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect()
    credentials = running.engine.credentials
    made = await credentials.make_certificate(TENANT, view.id, ADMIN)
    assert (await credentials.make_certificate(TENANT, view.id, ADMIN)).thumbprint == made.thumbprint
    assert "PRIVATE" not in made.public
    with pytest.raises(CredentialsWrong) as caught:
        await credentials.use_certificate(TENANT, view.id, ADMIN)
    assert caught.value.fault is Fault.ENTRA_CERTIFICATE_UNKNOWN
    assert caught.value.context["thumbprint"] == made.thumbprint[:8]
    assert (await row(running)).credential == CredentialKind.SECRET
    await sandbox.post("registration/certificates", {"pem": made.public})
    done = await finished(running, await credentials.use_certificate(TENANT, view.id, ADMIN))
    assert done.step is RotationStep.DONE
    for secret in list(sandbox.world.saved.registration.secrets):
        await sandbox.delete(f"registration/secrets/{secret.key_id}")
    await sandbox.call("2001")
    await running.wait_until_shown("2001", *IN_A_CALL)
    integration = await row(running)
    assert (integration.credential, integration.expiry_source) == ("certificate", "certificate")
    assert integration.secret_expires_on == made.expires_on
    assert integration.pending_certificate_sealed is None
    assert ("switch_credential", "done", "Ada Admin") in await acts(running)


@on_sqlite
@pytest.mark.parametrize("form", ["pem", "pfx"])
async def test_a_certificate_from_the_hosts_file(sandbox: SandboxHandle, tmp_path: Path, form: str) -> None:
    made = certificates.generate("From a file", utc_now())
    path, password = tmp_path / f"certificate.{form}", "open sesame"
    path.write_bytes(made.pem.encode() if form == "pem" else as_pfx(made, password))
    await sandbox.post("registration/certificates", {"pem": made.public})
    host = HostCredentials(path, password if form == "pfx" else "")
    async with running_engine(sandbox, tmp_path, webhooks=False, host=host) as running:
        view = await running.connect()
        assert running.engine.credentials.choices().host_certificate
        await finished(running, await running.engine.credentials.use_host_certificate(TENANT, view.id, ADMIN))
        integration = await row(running)
        assert (integration.credential, integration.certificate_sealed) == ("certificate", None)
        assert integration.secret_expires_on == made.expires_on
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)


def as_pfx(made: certificates.Certificate, password: str) -> bytes:
    key: Any = load_pem_private_key(made.private_key.encode(), None)
    certificate = load_pem_x509_certificate(made.public.encode())
    locked = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, locked)


def key_pair() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_no_secret_at_all_but_the_platforms_own_token(sandbox: SandboxHandle, tmp_path: Path) -> None:
    key, public = key_pair()
    issuer, subject = "https://cluster.example", "system:serviceaccount:presence"
    file = tmp_path / "token"
    now = int(utc_now().timestamp())
    claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "nbf": now, "exp": now + 600}
    file.write_text(jwt.encode(claims, key, "RS256") + "\n")
    host = HostCredentials(federated_token_file=file)
    async with running_engine(sandbox, tmp_path, webhooks=False, host=host) as running:
        view = await running.connect()
        with pytest.raises(CredentialsWrong) as caught:
            await running.engine.credentials.use_federated(TENANT, view.id, ADMIN)
        assert caught.value.fault is Fault.ENTRA_FEDERATION_UNKNOWN
        trusted = {"issuer": issuer, "subject": subject, "publicKey": public}
        await sandbox.post("registration/federated", trusted)
        await finished(running, await running.engine.credentials.use_federated(TENANT, view.id, ADMIN))
        integration = await row(running)
        assert (integration.credential, integration.secret_expires_on) == ("federated", None)
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_a_managed_identity(sandbox: SandboxHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, subject = "https://login.microsoftonline.com/a-tenant/v2.0", "the-identity"
    key, public = key_pair()
    now = int(utc_now().timestamp())
    claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "nbf": now, "exp": now + 600}
    asked: list[dict[str, str]] = []

    async def give(request: web.Request) -> web.Response:
        asked.append(dict(request.query) | {"header": request.headers["X-IDENTITY-HEADER"]})
        token = jwt.encode(claims, key, "RS256")
        return web.json_response({"access_token": token, "expires_on": str(now + 600), "resource": AUDIENCE})

    platform = web.Application()
    platform.router.add_get("/msi/token", give)
    host = HostCredentials(platform_token=managed_identity("an-identity"))
    await sandbox.post("registration/federated", {"issuer": issuer, "subject": subject, "publicKey": public})
    async with (
        TestServer(platform) as server,
        running_engine(sandbox, tmp_path, webhooks=False, host=host) as running,
    ):
        monkeypatch.setenv("IDENTITY_ENDPOINT", str(server.make_url("/msi/token")))
        monkeypatch.setenv("IDENTITY_HEADER", "the-header")
        view = await running.connect()
        await finished(running, await running.engine.credentials.use_federated(TENANT, view.id, ADMIN))
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        assert (asked[0]["resource"], asked[0]["client_id"]) == (AUDIENCE, "an-identity")
        assert asked[0]["header"] == "the-header"


@on_sqlite
async def test_a_missing_managed_identity_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "the-header")
    with pytest.raises(CredentialsWrong) as caught:
        await asyncio.to_thread(HostCredentials(platform_token=managed_identity("x")).federated_token)
    assert caught.value.fault is Fault.ENTRA_FEDERATION_UNREADABLE


@on_sqlite
async def test_a_missing_file_is_reported(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    for use, fault in (
        (running.engine.credentials.use_host_certificate, Fault.ENTRA_CERTIFICATE_UNREADABLE),
        (running.engine.credentials.use_federated, Fault.ENTRA_FEDERATION_UNREADABLE),
    ):
        with pytest.raises(CredentialsWrong) as caught:
            await use(TENANT, view.id, ADMIN)
        assert caught.value.fault is fault


@on_sqlite
async def test_a_refused_replacement_is_recorded(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    used = sandbox.world.saved.registration.secrets[0]
    refused = {
        "not~the-s3cret-value": Fault.ENTRA_SECRET_WRONG,
        used.key_id: Fault.ENTRA_SECRET_IS_ID,
        used.value: Fault.ENTRA_SECRET_EXPIRED,
    }
    await sandbox.expire_secret(used.key_id)
    for secret, fault in refused.items():
        with pytest.raises(CredentialsWrong):
            await running.engine.credentials.replace_secret(TENANT, view.id, NewSecret(secret), ADMIN)
        async with running.database.session() as session:
            (last,) = await history.page(session, TENANT, 0, 1)
        assert (last.act, last.result, last.integration_name) == ("rotate", fault.value, view.name)
        assert secret not in str(last.facts)


async def test_back_to_a_secret(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect(enabled=False)
    credentials = running.engine.credentials
    made = await credentials.make_certificate(TENANT, view.id, ADMIN)
    await sandbox.post("registration/certificates", {"pem": made.public})
    await finished(running, await credentials.use_certificate(TENANT, view.id, ADMIN))
    new = await sandbox.new_secret()
    rotation = await credentials.replace_secret(TENANT, view.id, NewSecret(new["value"]), ADMIN)
    assert (await finished(running, rotation)).step is RotationStep.DONE
    integration = await row(running)
    assert (integration.credential, integration.certificate_sealed) == ("secret", None)
    assert await secret_of(running) == new["value"]


@on_sqlite
async def test_consent_given_just_now_is_used(sandbox: SandboxHandle, running: RunningEngine) -> None:
    view = await running.connect()
    assert not await running.engine.credentials.may_rotate(TENANT, view.id)
    await owned(sandbox)
    assert await running.engine.credentials.may_rotate(TENANT, view.id)
