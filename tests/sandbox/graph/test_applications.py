from typing import Any

import pytest

from sandbox.state import World
from tests.sandbox.callers import Graph, ask_entra, call, signed_in
from tests.support.services.sandboxes import SandboxHandle


@pytest.fixture
async def owner(sandbox: SandboxHandle) -> Graph:
    """Graph for the application with the permission to change itself."""
    await sandbox.post("registration/permissions", {"Application.ReadWrite.OwnedBy": True})
    return await signed_in(sandbox)


def _path(world: World) -> str:
    return f"/applications(appId='{world.saved.registration.client_id}')"


async def test_a_secrets_expiry_can_be_read_without_its_text(sandbox: SandboxHandle, world: World) -> None:
    await sandbox.post("registration/permissions", {"Application.Read.All": True})
    reader = await signed_in(sandbox)
    secret = world.saved.registration.secrets[0]
    answer = await reader.get(_path(world), select="passwordCredentials")
    (credential,) = answer.body["passwordCredentials"]
    assert answer.body.keys() == {"passwordCredentials"}
    assert (credential["keyId"], credential["hint"]) == (secret.key_id, secret.value[:3])
    assert credential["endDateTime"] == "2026-08-29T09:00:00Z"
    assert credential["secretText"] is None
    assert secret.value not in str(answer.body)


async def test_without_the_permission_it_is_refused(graph: Graph, world: World) -> None:
    assert (await graph.get(_path(world))).status == 403


async def test_reading_is_not_changing(sandbox: SandboxHandle, world: World) -> None:
    await sandbox.post("registration/permissions", {"Application.Read.All": True})
    assert (await (await signed_in(sandbox)).post(f"{_path(world)}/addPassword", {})).status == 403


async def test_a_secret_is_rotated(owner: Graph, sandbox: SandboxHandle, world: World) -> None:
    old = world.saved.registration.secrets[0]
    path = f"/applications/{world.saved.registration.object_id}"
    requested = {"displayName": "Rotated", "endDateTime": "2026-06-01T00:00:00Z"}
    added = (await owner.post(f"{path}/addPassword", {"passwordCredential": requested})).body
    assert (added["displayName"], added["endDateTime"]) == ("Rotated", "2026-06-01T00:00:00Z")
    for value in (old.value, added["secretText"]):
        assert (await ask_entra(sandbox, client_secret=value)).status == 200
    assert added["secretText"] not in str((await owner.get(path)).body)
    assert (await owner.post(f"{path}/removePassword", {"keyId": old.key_id})).status == 204
    assert (await ask_entra(sandbox, client_secret=old.value)).status == 401


async def test_a_new_secret_lives_two_years_by_default(owner: Graph, world: World) -> None:
    added = await owner.post(f"{_path(world)}/addPassword", {})
    assert added.body["endDateTime"] == "2028-03-01T09:00:00Z"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("addPassword", {"passwordCredential": "x"}),
        ("addPassword", {"passwordCredential": {"displayName": "x" * 121}}),
        ("addPassword", {"passwordCredential": {"endDateTime": "2020-01-01T00:00:00Z"}}),
        ("addPassword", {"passwordCredential": {"endDateTime": "soon"}}),
        ("addPassword", {"passwordCredential": {"endDateTime": 5}}),
        ("removePassword", {"keyId": "11111111-2222-4333-8444-555555555555"}),
        ("removePassword", {"keyId": 5}),
        ("removePassword", {}),
    ],
)
async def test_invalid_secret_requests(owner: Graph, world: World, action: str, body: dict[str, Any]) -> None:
    before = list(world.saved.registration.secrets)
    assert (await owner.post(f"{_path(world)}/{action}", body)).status == 400
    assert world.saved.registration.secrets == before


async def test_a_policy_limits_how_long_a_secret_lives(owner: Graph, sandbox: SandboxHandle, world: World) -> None:
    await sandbox.set_faults(longest_secret_days=90)
    answers = [
        await owner.post(f"{_path(world)}/addPassword", {"passwordCredential": {"endDateTime": end}})
        for end in ("2026-06-01T00:00:00Z", "2026-05-30T00:00:00Z")
    ]
    assert [answer.status for answer in answers] == [400, 200]
    assert answers[0].code == "CredentialInvalidLifetimeAsPerAppPolicy"


async def test_a_policy_forbids_secrets(owner: Graph, sandbox: SandboxHandle, world: World) -> None:
    await sandbox.set_faults(secrets_forbidden=True)
    answer = await owner.post(f"{_path(world)}/addPassword", {})
    assert (answer.status, answer.code) == (400, "CredentialTypeNotAllowedAsPerAppPolicy")
    assert len(world.saved.registration.secrets) == 1


async def test_other_applications_are_not_found(owner: Graph, world: World) -> None:
    assert (await owner.get("/applications(appId='11111111-2222-4333-8444-555555555555')")).status == 404
    assert (await owner.get(f"/applications/{world.saved.registration.client_id}")).status == 404
    assert (await owner.get(_path(world), select="nothing")).status == 400


async def test_the_quotes_may_come_escaped(owner: Graph, world: World) -> None:
    path = f"/v1.0/applications(appId=%27{world.saved.registration.client_id}%27)"
    assert (await call(owner.sandbox, "GET", path, token=owner.token)).status == 200
