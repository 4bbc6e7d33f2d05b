import asyncio
import time
from pathlib import Path

from sandbox.state import World, read_saved
from tests.sandbox.callers import ask_entra, call, connected, signed_in
from tests.support.clocks import FakeClock
from tests.support.eventually import eventually
from tests.support.services.sandboxes import SandboxHandle, running_sandbox


async def test_a_restart_keeps_what_was(clock: FakeClock, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    async with running_sandbox(World(clock), state_file=path) as first:
        call_id = await first.ring("2001")
        secret = await first.new_secret()
        cloudlink, graph = await connected(first), await signed_in(first)
        subscription = (await cloudlink.subscribe("http://127.0.0.1:9/hook")).body["subscriptionId"]
        user = (await first.teams("Bruno Carvalho"))["id"]
        body = {
            "sessionId": first.world.saved.registration.client_id,
            "availability": "Busy",
            "activity": "InACall",
            "expirationDuration": "PT1H",
        }
        assert (await graph.post(f"/users/{user}/presence/setPresence", body)).status == 200
        before = await first.state()
    async with running_sandbox(World(clock, saved=read_saved(path)), state_file=path) as second:
        after = await second.state()
        listed = await call(second, "GET", "/notifications/2017-09-01/subscriptions", token=cloudlink.token)
        assert listed.body["_embedded"]["items"][0]["subscriptionId"] == subscription
        assert (await call(second, "GET", "/v1.0/organization", token=graph.token)).status == 200
        assert (await ask_entra(second, client_secret=secret["value"])).status == 200
        assert (await second.answer("2001")) == call_id
    assert {**after, "counts": None} == {**before, "counts": None}


async def test_the_state_is_saved_soon_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    async with running_sandbox(state_file=path) as sandbox:
        await sandbox.ring("2001")
        await eventually(lambda: bool((saved := read_saved(path)) and saved.people[0].phone.calls))


async def test_slow_answers(sandbox: SandboxHandle) -> None:
    await sandbox.set_faults(slow_seconds=0.2)
    for path in ("/v1.0/organization", "/media/2017-09-01/endpoints/2001", "/valeverde.example/oauth2/v2.0/token"):
        started = time.monotonic()
        await call(sandbox, "GET", path)
        assert time.monotonic() - started >= 0.2
    await sandbox.set_faults(slow_seconds=30)
    slow = asyncio.create_task(call(sandbox, "GET", "/v1.0/organization"))
    await sandbox.state()
    assert not slow.done()
    slow.cancel()


async def test_the_wrong_method_and_path_are_json(sandbox: SandboxHandle) -> None:
    assert (await call(sandbox, "GET", "/valeverde.example/oauth2/v2.0/token")).status == 405
    answer = await call(sandbox, "GET", "/favicon.ico")
    assert (answer.status, answer.body) == (404, {"error": "Not Found"})


async def test_two_sandboxes_do_not_share(sandbox: SandboxHandle) -> None:
    token = (await ask_entra(sandbox)).body["access_token"]
    async with running_sandbox() as other:
        assert (await call(other, "GET", "/v1.0/organization", token=token)).status == 401
        await other.ring("2001")
    assert (await sandbox.person("2001"))["phone"]["calls"] == []
