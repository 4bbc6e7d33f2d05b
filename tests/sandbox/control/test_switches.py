import json
from typing import Any

import aiohttp
import pytest

from tests.sandbox.callers import ask_cloudlink, ask_entra, call, connected, signed_in
from tests.support.services.sandboxes import SandboxHandle


async def test_one_fault_is_switched_without_the_others(sandbox: SandboxHandle) -> None:
    await sandbox.set_faults(graphOutage=True)
    await sandbox.set_faults(slow_seconds=0.5)
    faults = (await sandbox.state())["faults"]
    assert (faults["graphOutage"], faults["slowSeconds"], faults["entraOutage"]) == (True, 0.5, False)


async def test_the_next_requests_are_refused_and_then_all_is_well(sandbox: SandboxHandle) -> None:
    await sandbox.post("refusals", {"graph": 2, "entra": 1, "cloudlink": 1})
    assert [(await ask_entra(sandbox)).status for _ in range(2)] == [401, 200]
    assert [(await ask_cloudlink(sandbox)).status for _ in range(2)] == [401, 200]
    graph = await signed_in(sandbox)
    assert [(await graph.get("/organization")).status for _ in range(3)] == [401, 401, 200]
    assert (await sandbox.state())["refusals"] == {"graph": 0, "entra": 0, "cloudlink": 0}


@pytest.mark.parametrize("body", [{"graph": 101}, {"graph": -1}, {"graph": "1"}, {"another": 1}])
async def test_other_numbers_of_refusals_are_refused(sandbox: SandboxHandle, body: dict[str, Any]) -> None:
    with pytest.raises(aiohttp.ClientResponseError):
        await sandbox.post("refusals", body)


async def test_traffic_runs(sandbox: SandboxHandle) -> None:
    await sandbox.post("traffic", {"running": True, "callsPerMinute": 600})
    assert (await sandbox.state())["traffic"] == {"running": True, "callsPerMinute": 600}
    await sandbox.post("traffic", {"running": False})
    assert (await sandbox.state())["traffic"] == {"running": False, "callsPerMinute": 600}


async def test_the_clock_moves_on(sandbox: SandboxHandle) -> None:
    answer = await sandbox.post("clock", {"advanceSeconds": 3600})
    assert answer == {"now": "2026-03-02T10:00:00.000Z"}
    await sandbox.advance(180 * 86400)
    assert (await sandbox.state())["registration"]["secrets"][0]["expired"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", []),
        ("faults", {"nothing": True}),
        ("faults", {"graphOutage": "yes"}),
        ("traffic", {"running": 1}),
        ("traffic", {"callsPerMinute": 0}),
        ("traffic", {"callsPerMinute": 1e9}),
        ("clock", {}),
        ("clock", {"advanceSeconds": -1}),
        ("clock", {"advanceSeconds": "60"}),
    ],
)
async def test_wrong_input(sandbox: SandboxHandle, path: str, body: Any) -> None:
    before = await sandbox.state()
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await sandbox.post(path, body)
    assert caught.value.status == 400
    assert await sandbox.state() == before


async def test_the_log_has_what_was_served_in_order(sandbox: SandboxHandle) -> None:
    graph, cloudlink = await signed_in(sandbox), await connected(sandbox)
    await graph.get("/organization")
    await cloudlink.get("/media/2017-09-01/endpoints/9999")
    await call(sandbox, "GET", "/nothing")
    await sandbox.state()
    tenant = sandbox.world.saved.registration.tenant_id
    log = await sandbox.log()
    assert [(entry["service"], entry["method"], entry["path"], entry["status"]) for entry in log] == [
        ("entra", "POST", f"/{tenant}/oauth2/v2.0/token", 200),
        ("cloudlink", "POST", "/authentication/2017-09-01/token", 200),
        ("graph", "GET", "/v1.0/organization", 200),
        ("cloudlink", "GET", "/media/2017-09-01/endpoints/9999", 404),
        ("entra", "GET", "/nothing", 404),
    ]
    assert log[0].keys() == {"at", "service", "method", "path", "status", "batch", "client_request_id"}
    assert log[0]["at"] == "2026-03-02T09:00:00.000Z"
    await sandbox.clear_log()
    assert await sandbox.log() == []


async def test_the_log_holds_no_secrets(sandbox: SandboxHandle) -> None:
    await sandbox.post("registration/permissions", {"Application.ReadWrite.OwnedBy": True})
    graph, cloudlink = await signed_in(sandbox), await connected(sandbox)
    app = f"/applications/{sandbox.world.saved.registration.object_id}"
    await graph.batch(
        {
            "id": "1",
            "method": "POST",
            "url": f"{app}/addPassword",
            "headers": {"Content-Type": "application/json", "Authorization": f"Bearer {graph.token}"},
            "body": {},
        }
    )
    await ask_entra(sandbox, client_secret="a wrong one")
    await ask_cloudlink(sandbox, client_secret="a wrong one")
    await cloudlink.subscribe("http://127.0.0.1:9/webhooks/cloudlink/token")
    text = json.dumps(await sandbox.log())
    saved = sandbox.world.saved
    secrets = [secret.value for secret in saved.registration.secrets]
    assert len(secrets) == 2
    for hidden in (
        *secrets,
        saved.account.client_secret,
        graph.token,
        cloudlink.token,
        "a wrong one",
        "Bearer",
        '/token"',
    ):
        assert hidden not in text.replace("2017-09-01/token", "").replace("v2.0/token", "")


async def test_the_log_keeps_the_last_thousand(sandbox: SandboxHandle) -> None:
    for number in range(1005):
        async with sandbox.session.get(f"{sandbox.url}/v1.0/{number}"):
            pass
    log = await sandbox.log()
    assert (len(log), log[0]["path"], log[-1]["path"]) == (1000, "/v1.0/5", "/v1.0/1004")
