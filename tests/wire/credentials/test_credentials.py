"""Every way credentials can be wrong: the real msal and SDK against the sandbox's Entra ID, Graph and CloudLink."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sync.cloudlink.client import CloudLink
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import Transport
from sync.domain.changes import ClearPresence, Done, Failed, Refused, SetPresence
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.phone_events import CallState
from sync.domain.presence import Presence
from sync.teams.directory import open_directory
from sync.teams.graph_client import GraphClient
from sync.teams.presence import PresenceWriter
from sync.teams.tokens import EntraTokens, prove
from tests.support.services.delta_query import changes_of
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.sync.error_output import error_output
from tests.support.sync.teams import entra_at


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[SandboxHandle]:
    async with running_sandbox() as sandbox:
        yield sandbox


def app_of(sandbox: SandboxHandle) -> TeamsApp:
    registration = sandbox.world.saved.registration
    return TeamsApp(registration.tenant_id, registration.client_id, registration.secrets[0].value)


def account_of(sandbox: SandboxHandle) -> CloudLinkAccount:
    account = sandbox.world.saved.account
    return CloudLinkAccount("", account.id, account.client_id, account.client_secret)


def cloudlink(sandbox: SandboxHandle, account: CloudLinkAccount | None = None) -> CloudLink:
    async def no_sleep(seconds: float) -> None:
        assert seconds >= 2

    pattern, known = sandbox.cloudlink_url, account or account_of(sandbox)
    transport = Transport(sandbox.session, utc_now, Random(1), no_sleep)
    return CloudLink(transport, pattern, known, WireTables(), utc_now)


async def failure_of(call: Awaitable[Any]) -> SyncError:
    with pytest.raises(SyncError) as caught:
        await call
    return caught.value


async def refusal_of(sandbox: SandboxHandle, **changes: Any) -> SyncError:
    """The error of testing the application, after a check that it reveals no secret."""
    app = replace(app_of(sandbox), **changes)
    error = await failure_of(prove(app, entra_at(sandbox.url)))
    assert isinstance(error, CredentialsWrong)
    assert app.client_secret not in repr(error)
    return error


# Entra ID


async def test_valid_credentials_are_accepted(sandbox: SandboxHandle) -> None:
    proven = await prove(app_of(sandbox), entra_at(sandbox.url))
    assert {"User.Read.All", "Presence.ReadWrite.All"} <= proven.roles
    async with open_directory(proven, sandbox.url, utc_now, Metrics(CollectorRegistry())) as directory:
        assert await directory.organisation() == sandbox.world.saved.registration.organisation
        people = await changes_of(directory)
    known = {user.id for user in sandbox.world.saved.teams}
    assert {person.id for person in people} == known
    assert len(known) > 10


async def test_a_tenant_may_be_named_by_its_domain(sandbox: SandboxHandle) -> None:
    domain = sandbox.world.saved.registration.domains[0]
    assert (await prove(replace(app_of(sandbox), tenant_id=domain), entra_at(sandbox.url))).roles


async def test_an_unknown_tenant(sandbox: SandboxHandle) -> None:
    for tenant in (str(uuid4()), "nobody.example"):
        error = await refusal_of(sandbox, tenant_id=tenant)
        assert (error.fault, error.context) == (Fault.ENTRA_TENANT_UNKNOWN, {"code": 90002})


@pytest.mark.parametrize("tenant", ["common", "x y", "../../v1.0/users", "contoso", "a.b?c"])
async def test_a_malformed_tenant_is_refused_without_a_call(sandbox: SandboxHandle, tenant: str) -> None:
    assert (await refusal_of(sandbox, tenant_id=tenant)).fault is Fault.ENTRA_TENANT_UNKNOWN
    assert not [entry for entry in await sandbox.log() if "openid" in str(entry)]


async def test_an_unknown_client(sandbox: SandboxHandle) -> None:
    error = await refusal_of(sandbox, client_id=str(uuid4()))
    assert (error.fault, error.context) == (Fault.ENTRA_CLIENT_UNKNOWN, {"code": 700016})


async def test_a_wrong_secret(sandbox: SandboxHandle) -> None:
    error = await refusal_of(sandbox, client_secret="not~the-s3cret-value")
    assert (error.fault, error.context) == (Fault.ENTRA_SECRET_WRONG, {"code": 7000215})


async def test_the_secrets_id_pasted_instead_of_its_value(sandbox: SandboxHandle) -> None:
    key_id = sandbox.world.saved.registration.secrets[0].key_id
    error = await refusal_of(sandbox, client_secret=key_id)
    assert (error.fault, error.context) == (Fault.ENTRA_SECRET_IS_ID, {"code": 7000215})


async def test_an_expired_secret_and_its_successor(sandbox: SandboxHandle) -> None:
    await sandbox.expire_secret(sandbox.world.saved.registration.secrets[0].key_id)
    error = await refusal_of(sandbox)
    assert (error.fault, error.context) == (Fault.ENTRA_SECRET_EXPIRED, {"code": 7000222})
    successor = await sandbox.new_secret()
    assert await prove(replace(app_of(sandbox), client_secret=successor["value"]), entra_at(sandbox.url))


@pytest.mark.parametrize(
    ("switch", "on", "fault", "code"),
    [
        ("disabled", True, Fault.ENTRA_APP_DISABLED, 7000112),
        ("deleted", True, Fault.ENTRA_CLIENT_UNKNOWN, 700016),
        ("service-principal", False, Fault.ENTRA_NO_SERVICE_PRINCIPAL, 7000229),
        ("conditional-access", True, Fault.ENTRA_CONDITIONAL_ACCESS, 53003),
    ],
)
async def test_a_registration_that_was_broken_and_is_fixed(
    sandbox: SandboxHandle, switch: str, on: bool, fault: Fault, code: int
) -> None:
    await sandbox.registration_switch(switch, on)
    error = await refusal_of(sandbox)
    assert (error.fault, error.context) == (fault, {"code": code})
    await sandbox.registration_switch(switch, not on)
    assert await prove(app_of(sandbox), entra_at(sandbox.url))


@pytest.mark.parametrize(
    ("consented", "missing"),
    [
        ({"User_Read_All": False}, "User.Read.All"),
        ({"Presence_ReadWrite_All": False}, "Presence.ReadWrite.All"),
        ({"User_Read_All": False, "Presence_ReadWrite_All": False}, "User.Read.All, Presence.ReadWrite.All"),
    ],
)
async def test_missing_consent_names_what_is_missing(
    sandbox: SandboxHandle, consented: dict[str, bool], missing: str
) -> None:
    await sandbox.permissions(**consented)
    error = await refusal_of(sandbox)
    assert (error.fault, error.context) == (Fault.GRAPH_CONSENT_MISSING, {"permissions": missing})


@pytest.mark.parametrize(
    ("switch", "fault"), [("entra_outage", Fault.ENTRA_UNREACHABLE), ("entra_transient", Fault.ENTRA_TEMPORARY)]
)
async def test_entras_own_errors_are_not_the_administrators_fault(
    sandbox: SandboxHandle, switch: str, fault: Fault
) -> None:
    await sandbox.set_faults(**{switch: True})
    error = await failure_of(prove(app_of(sandbox), entra_at(sandbox.url)))
    assert (type(error), error.fault) == (ServiceUnavailable, fault)
    await sandbox.set_faults(**{switch: False})
    assert await prove(app_of(sandbox), entra_at(sandbox.url))


async def test_a_slow_response_times_out(sandbox: SandboxHandle) -> None:
    await sandbox.set_faults(slow_seconds=3.0)
    error = await failure_of(prove(app_of(sandbox), entra_at(sandbox.url, timeout=0.3)))
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.ENTRA_UNREACHABLE)


async def test_no_error_of_entra_reveals_the_secret(
    sandbox: SandboxHandle, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    good = app_of(sandbox)
    wrong = replace(good, client_secret="not~the-s3cret-value")
    for app in (wrong, replace(good, tenant_id=str(uuid4())), replace(good, client_id=str(uuid4()))):
        error = await failure_of(prove(app, entra_at(sandbox.url)))
        assert app.client_secret not in error_output(error, caplog, capsys)
    await prove(good, entra_at(sandbox.url))
    assert good.client_secret not in caplog.text


# Graph


@pytest_asyncio.fixture
async def writer(sandbox: SandboxHandle) -> PresenceWriter:
    app = app_of(sandbox)
    return PresenceWriter(
        GraphClient(sandbox.session, sandbox.url, EntraTokens(app, entra_at(sandbox.url)), utc_now), app.client_id
    )


async def test_presence_is_set_read_and_cleared(sandbox: SandboxHandle, writer: PresenceWriter) -> None:
    user = sandbox.world.saved.teams[0].id
    assert await writer.push([SetPresence(user, Presence.IN_A_CALL, 3600)]) == [Done()]
    assert await writer.read([user]) == {user: ("Busy", "InACall")}
    assert await writer.push([ClearPresence(user)]) == [Done()]
    assert await writer.push([ClearPresence(user)]) == [Done()]
    assert await writer.read([user]) != {user: ("Busy", "InACall")}


@pytest.mark.parametrize("presence", list(Presence))
async def test_graph_accepts_every_presence_we_send(
    sandbox: SandboxHandle, writer: PresenceWriter, presence: Presence
) -> None:
    user = sandbox.world.saved.teams[0].id
    for seconds in (300, 3600, 14_400):
        assert await writer.push([SetPresence(user, presence, seconds)]) == [Done()]


async def test_a_refused_change_does_not_affect_the_others(sandbox: SandboxHandle, writer: PresenceWriter) -> None:
    user = sandbox.world.saved.teams[0].id
    gone, long, good = await writer.push(
        [
            SetPresence(str(uuid4()), Presence.IN_A_CALL, 3600),
            SetPresence(user, Presence.IN_A_CALL, 14_401),
            SetPresence(user, Presence.IN_A_CALL, 3600),
        ]
    )
    assert isinstance(gone, Refused)
    assert gone.status == 404
    assert isinstance(long, Refused)
    assert long.status == 400
    assert long.code
    assert good == Done()


async def test_presence_read_in_another_spelling(sandbox: SandboxHandle, writer: PresenceWriter) -> None:
    user = sandbox.world.saved.teams[0].id
    await writer.push([SetPresence(user, Presence.IN_A_CALL, 3600)])
    await sandbox.set_faults(graph_drift=True)
    assert await writer.read([user]) == {user: ("InACall", "InACall")}


async def test_consent_revoked_and_granted_again_while_a_token_lives(
    sandbox: SandboxHandle, writer: PresenceWriter
) -> None:
    change = ClearPresence(sandbox.world.saved.teams[0].id)
    await sandbox.permissions(Presence_ReadWrite_All=False)
    (outcome,) = await writer.push([change])
    assert isinstance(outcome, Failed)
    assert outcome.error.fault is Fault.GRAPH_CONSENT_MISSING
    await sandbox.permissions(Presence_ReadWrite_All=True)
    assert await writer.push([change]) == [Done()]


@pytest.mark.parametrize(
    ("switch", "fault"), [("graph_throttle", Fault.GRAPH_THROTTLED), ("graph_outage", Fault.GRAPH_UNREACHABLE)]
)
async def test_graphs_own_errors(sandbox: SandboxHandle, writer: PresenceWriter, switch: str, fault: Fault) -> None:
    proven = await prove(app_of(sandbox), entra_at(sandbox.url))
    await sandbox.set_faults(**{switch: True}, retry_after=7)
    async with open_directory(proven, sandbox.url, utc_now, Metrics(CollectorRegistry())) as directory:
        error = await failure_of(changes_of(directory))
    assert (type(error), error.fault) == (ServiceUnavailable, fault)


async def test_graph_forbids(sandbox: SandboxHandle) -> None:
    proven = await prove(app_of(sandbox), entra_at(sandbox.url))
    await sandbox.set_faults(graph_forbidden=True)
    async with open_directory(proven, sandbox.url, utc_now, Metrics(CollectorRegistry())) as directory:
        error = await failure_of(directory.organisation())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.GRAPH_FORBIDDEN)


# CloudLink


async def test_the_account_its_people_and_their_phones(sandbox: SandboxHandle) -> None:
    client = cloudlink(sandbox)
    people = await client.users()
    assert await client.account_name() == sandbox.world.saved.account.name
    assert {person.user_id for person in people} == {person.id for person in sandbox.world.saved.people}
    extensions = [person.extension for person in people if person.extension]
    await sandbox.call(extensions[0])
    await sandbox.dnd(extensions[1])
    lines = {line.extension: line for line in (await client.lines([*extensions, "no-such"])).found}
    assert set(lines) == set(extensions)
    assert [call.state for call in lines[extensions[0]].calls] == [CallState.CONNECTED]
    assert lines[extensions[1]].do_not_disturb


async def test_subscribing_and_unsubscribing(sandbox: SandboxHandle) -> None:
    client = cloudlink(sandbox)
    subscription = await client.subscribe("http://127.0.0.1:9/webhooks/cloudlink/token")
    assert await client.subscriptions() == frozenset({subscription})
    await client.unsubscribe(subscription)
    await client.unsubscribe(subscription)
    assert await client.subscriptions() == frozenset()


@pytest.mark.parametrize("wrong", ["account_id", "client_id", "client_secret"])
async def test_cloudlink_refuses_wrong_credentials(sandbox: SandboxHandle, wrong: str) -> None:
    account = replace(account_of(sandbox), **{wrong: "not-the-right-one"})
    error = await failure_of(cloudlink(sandbox, account).account_name())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.CLOUDLINK_REFUSED)
    assert account.client_secret not in repr(error)


async def test_a_cloudlink_secret_replaced_while_a_token_lives(sandbox: SandboxHandle) -> None:
    client = cloudlink(sandbox)
    await client.users()
    secret = await sandbox.new_cloudlink_secret()
    error = await failure_of(client.users())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.CLOUDLINK_REFUSED)
    renewed = replace(account_of(sandbox), client_secret=secret)
    assert await cloudlink(sandbox, renewed).users()


async def test_an_owner_without_the_role(sandbox: SandboxHandle) -> None:
    await sandbox.set_faults(cloudlink_not_admin=True)
    client = cloudlink(sandbox)
    for call in (client.account_name(), client.users()):
        error = await failure_of(call)
        assert (type(error), error.fault) == (CredentialsWrong, Fault.CLOUDLINK_FORBIDDEN)


@pytest.mark.parametrize(
    ("switch", "fault"),
    [("cloudlink_outage", Fault.CLOUDLINK_UNREACHABLE), ("cloudlink_throttle", Fault.CLOUDLINK_THROTTLED)],
)
async def test_cloudlinks_own_errors(sandbox: SandboxHandle, switch: str, fault: Fault) -> None:
    client = cloudlink(sandbox)
    await sandbox.set_faults(**{switch: True}, retry_after=3)
    error = await failure_of(client.users())
    assert isinstance(error, ServiceUnavailable)
    assert error.fault is fault
    await sandbox.set_faults(**{switch: False})
    assert await client.users()
