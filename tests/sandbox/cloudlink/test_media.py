from sandbox.state import World
from tests.sandbox.callers import CloudLink, call
from tests.support.clocks import FakeClock
from tests.support.sandboxes import SandboxHandle

ENDPOINT = "/media/2017-09-01/endpoints/2001"


async def test_a_quiet_phone(cloudlink: CloudLink, world: World) -> None:
    answer = (await cloudlink.get(ENDPOINT)).body
    assert answer == {
        "endpointId": "2001",
        "userId": world.saved.people[0].id,
        "state": "idle",
        "doNotDisturb": False,
        "timestamp": 0,
    }
    assert (await cloudlink.get(f"{ENDPOINT}/calls")).body == {"count": 0, "_links": {}, "_embedded": {"items": []}}


async def test_a_phone_in_a_call(cloudlink: CloudLink, clock: FakeClock) -> None:
    call_id = await cloudlink.sandbox.ring("2001", "+351211")
    await cloudlink.sandbox.answer("2001")
    await cloudlink.sandbox.dnd("2001")
    (found,) = (await cloudlink.get(f"{ENDPOINT}/calls")).body["_embedded"]["items"]
    now = int(clock.now.timestamp() * 1000)
    assert found == {
        "callId": call_id,
        "state": "connected",
        "direction": "incoming",
        "from": "+351211",
        "to": "2001",
        "conference": False,
        "timestamp": now + 2,
    }
    endpoint = (await cloudlink.get(ENDPOINT)).body
    assert (endpoint["state"], endpoint["doNotDisturb"], endpoint["timestamp"]) == ("connected", True, now + 3)


async def test_a_phone_that_is_off(cloudlink: CloudLink) -> None:
    await cloudlink.sandbox.registered("2001", False)
    assert (await cloudlink.get(ENDPOINT)).body["state"] == "offline"


async def test_an_unknown_extension(cloudlink: CloudLink, sandbox: SandboxHandle) -> None:
    assert (await cloudlink.get("/media/2017-09-01/endpoints/9999")).status == 404
    assert (await cloudlink.get("/media/2017-09-01/endpoints/9999/calls")).status == 404
    assert (await call(sandbox, "GET", ENDPOINT)).status == 401


async def test_faults_and_unknown_paths(cloudlink: CloudLink) -> None:
    assert (await cloudlink.get("/media/2017-09-01/nothing")).status == 404
    await cloudlink.sandbox.set_faults(cloudlink_outage=True)
    outage = await cloudlink.get(ENDPOINT)
    assert outage.status == 503
    assert outage.headers["x-mitel-correlation-id"]
    await cloudlink.sandbox.set_faults(cloudlink_outage=False, cloudlink_throttle=True, retry_after=3)
    throttled = await cloudlink.get(ENDPOINT)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "3")
