from typing import Any

import aiohttp
import pytest

from tests.sandbox.callers import ask_entra
from tests.support.services.sandboxes import SandboxHandle


async def test_a_secret_is_made_expired_and_removed(sandbox: SandboxHandle) -> None:
    secret = await sandbox.new_secret("Second", days=30)
    assert (secret["description"], secret["endDateTime"]) == ("Second", "2026-04-01T09:00:00.000Z")
    assert secret["hint"] == secret["value"][:3]
    listed = (await sandbox.state())["registration"]["secrets"]
    assert listed[1] == secret
    await sandbox.expire_secret(secret["keyId"])
    assert (await sandbox.state())["registration"]["secrets"][1]["expired"]
    await sandbox.delete(f"registration/secrets/{secret['keyId']}")
    assert (await sandbox.state())["registration"]["secrets"] == listed[:1]


async def test_permissions_are_granted_and_revoked(sandbox: SandboxHandle) -> None:
    await sandbox.post("registration/permissions", {"Application.Read.All": True, "User.Read.All": False})
    permissions = (await sandbox.state())["registration"]["permissions"]
    assert permissions == {
        "User.Read.All": False,
        "Presence.ReadWrite.All": True,
        "Application.Read.All": True,
        "Application.ReadWrite.OwnedBy": False,
        "GroupMember.Read.All": False,
    }


@pytest.mark.parametrize(
    ("switch", "shown"),
    [
        ("disabled", "disabled"),
        ("deleted", "deleted"),
        ("conditional-access", "conditionalAccess"),
        ("service-principal", "servicePrincipal"),
    ],
)
async def test_switches(sandbox: SandboxHandle, switch: str, shown: str) -> None:
    for on in (True, False):
        await sandbox.registration_switch(switch, on)
        assert (await sandbox.state())["registration"][shown] is on


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("secrets", {"description": "", "days": 1}, 400),
        ("secrets", {"days": 0}, 400),
        ("secrets", {"days": True}, 400),
        ("secrets", {"days": 100_000}, 400),
        ("secrets/nothing/expire", {}, 404),
        ("permissions", {"Everything": True}, 400),
        ("permissions", {"User.Read.All": "yes"}, 400),
        ("disabled", {}, 400),
    ],
)
async def test_wrong_input(sandbox: SandboxHandle, path: str, body: dict[str, Any], status: int) -> None:
    before = await sandbox.state()
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.post(f"registration/{path}", body)
    assert caught.value.status == status
    assert await sandbox.state() == before


async def test_an_unknown_secret_is_not_removed(sandbox: SandboxHandle) -> None:
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.delete("registration/secrets/nothing")
    assert caught.value.status == 404


async def test_a_new_secret_works_at_once(sandbox: SandboxHandle) -> None:
    secret = await sandbox.new_secret()
    assert (await ask_entra(sandbox, client_secret=secret["value"])).status == 200
