from typing import Any

import aiohttp
import pytest

from tests.support.services.sandboxes import SandboxHandle


async def test_signing_in_and_out(sandbox: SandboxHandle) -> None:
    for state in ("Away", "Busy", "DoNotDisturb", "Available"):
        await sandbox.client("Ana Martins", state)
        assert await sandbox.shown("Ana Martins") == (state, state)
    await sandbox.client("Ana Martins", None)
    assert (await sandbox.teams("Ana Martins"))["client"] is None
    assert await sandbox.shown("Ana Martins") == ("Offline", "Offline")


async def test_choosing_by_hand(sandbox: SandboxHandle) -> None:
    await sandbox.chosen("Ana Martins", "Offline", "OffWork")
    assert await sandbox.shown("Ana Martins") == ("Offline", "OffWork")
    await sandbox.chosen("Ana Martins", None)
    assert await sandbox.shown("Ana Martins") == ("Available", "Available")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("client", {}),
        ("client", {"state": "Sleeping"}),
        ("client", {"state": ["Away"]}),
        ("chosen", {"availability": "Busy", "activity": "InACall"}),
        ("chosen", {"availability": "Busy"}),
        ("chosen", {"availability": 1, "activity": 2}),
        ("chosen", "Busy"),
        ("enabled", {"on": 1}),
        ("refusal", {"status": 500}),
    ],
)
async def test_wrong_input(sandbox: SandboxHandle, ana: str, path: str, body: Any) -> None:
    before = await sandbox.state()
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.post(f"teams/{ana}/{path}", body)
    assert caught.value.status == 400
    assert await sandbox.state() == before


async def test_an_unknown_person_is_not_found(sandbox: SandboxHandle) -> None:
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.post("teams/nobody/client", {"state": None})
    assert caught.value.status == 404


async def test_disabling_and_removing_an_account(sandbox: SandboxHandle, ana: str) -> None:
    await sandbox.post(f"teams/{ana}/enabled", {"on": False})
    assert not (await sandbox.teams("Ana Martins"))["enabled"]
    await sandbox.post(f"teams/{ana}/removed", {})
    assert (await sandbox.person("Ana Martins"))["teams"] is None
