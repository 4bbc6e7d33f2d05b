from typing import Any

import aiohttp
import pytest

from tests.support.services.sandboxes import SandboxHandle


async def phone(sandbox: SandboxHandle) -> dict[str, Any]:
    found: dict[str, Any] = (await sandbox.person("2001"))["phone"]
    return found


async def test_ring_answer_second_call_hold_conference_hang_up(sandbox: SandboxHandle) -> None:
    first = await sandbox.ring("2001", "+351211")
    (call,) = (await phone(sandbox))["calls"]
    assert call == {
        "callId": first,
        "state": "ringing",
        "direction": "incoming",
        "from": "+351211",
        "to": "2001",
        "conference": False,
        "since": "2026-03-02T09:00:00.000Z",
    }
    await sandbox.answer("2001", first)
    second = await sandbox.call("2001")
    assert [(each["callId"], each["state"]) for each in (await phone(sandbox))["calls"]] == [
        (first, "held"),
        (second, "connected"),
    ]
    assert await sandbox.conference("2001") == second
    assert await sandbox.hangup("2001") == second
    assert await sandbox.hold("2001") == first
    assert [each["state"] for each in (await phone(sandbox))["calls"]] == ["connected"]
    await sandbox.ring("2001")
    await sandbox.hangup_all("2001")
    assert (await phone(sandbox))["calls"] == []


async def test_do_not_disturb_and_registration(sandbox: SandboxHandle) -> None:
    await sandbox.dnd("2001")
    await sandbox.registered("2001", False)
    assert await phone(sandbox) == {"registered": False, "doNotDisturb": True, "calls": []}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("2001/ring", {"from": 5}, 400),
        ("2001/ring", {"from": ""}, 400),
        ("2001/ring", {"from": "x" * 101}, 400),
        ("2001/answer", {}, 409),
        ("2001/hangup", {"callId": "nothing"}, 409),
        ("2001/hangup", {"all": "yes"}, 400),
        ("2001/dnd", {}, 400),
        ("2001/dnd", {"on": "true"}, 400),
        ("2001/state", {}, 400),
        ("9999/ring", {}, 404),
        ("2001/explode", {}, 404),
    ],
)
async def test_wrong_input(sandbox: SandboxHandle, path: str, body: dict[str, Any], status: int) -> None:
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.post(f"phones/{path}", body)
    assert caught.value.status == status
    assert (await phone(sandbox))["calls"] == []
