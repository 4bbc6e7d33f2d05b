from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from sandbox.state import World
from tests.sandbox.callers import CloudLink, call
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle

ENDPOINT = "/media/2017-09-01/endpoints/2001"


async def test_a_quiet_phone(cloudlink: CloudLink, world: World) -> None:
    answer = (await cloudlink.get(ENDPOINT)).body
    assert answer == {
        "endpointId": "2001",
        "userId": world.saved.people[0].id,
        "siteId": world.saved.people[0].devices[0].site_id,
        "state": "idle",
        "doNotDisturb": False,
        "timestamp": 0,
    }
    assert (await cloudlink.get(f"{ENDPOINT}/calls")).body == {"count": 0, "_links": {}, "_embedded": {"items": []}}


async def test_a_phone_in_a_call(cloudlink: CloudLink, clock: FakeClock) -> None:
    await cloudlink.sandbox.set_faults(plain_calls=True)
    call_id = await cloudlink.sandbox.ring("2001", "+351211")
    await cloudlink.sandbox.answer("2001")
    await cloudlink.sandbox.dnd("2001")
    (found,) = (await cloudlink.get(f"{ENDPOINT}/calls")).body["_embedded"]["items"]
    now = int(clock.now.timestamp() * 1000)
    assert found == {
        "callId": call_id,
        "state": "connected",
        "direction": "inbound",
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


async def test_a_polled_call_carries_no_time_unless_calls_are_plain(cloudlink: CloudLink) -> None:
    call_id = await cloudlink.sandbox.call("2001")
    for plain in (False, True):
        await cloudlink.sandbox.set_faults(plain_calls=plain)
        (found,) = (await cloudlink.get(f"{ENDPOINT}/calls")).body["_embedded"]["items"]
        assert (found["callId"], "timestamp" in found) == (call_id, plain)


async def test_a_device_has_its_own_calls_and_its_persons_id(cloudlink: CloudLink, world: World) -> None:
    await cloudlink.sandbox.call("5001")
    softphone = (await cloudlink.get("/media/2017-09-01/endpoints/5001")).body
    assert (softphone["endpointId"], softphone["userId"]) == ("5001", world.saved.people[0].id)
    assert softphone["state"] == "connected"
    assert (await cloudlink.get(ENDPOINT)).body["state"] == "idle"


async def test_of_an_extension_at_two_sites_the_first_answers(cloudlink: CloudLink, world: World) -> None:
    oliver, nuno = [person for person in world.saved.people if person.extension == "2016"]
    await cloudlink.sandbox.call("2016-porto")
    found = (await cloudlink.get("/media/2017-09-01/endpoints/2016")).body
    assert (found["userId"], found["siteId"], found["state"]) == (oliver.id, oliver.devices[0].site_id, "idle")
    assert nuno.devices[0].site_id != oliver.devices[0].site_id
    assert [each.state for each in nuno.phone.calls] == ["connected"]


@pytest.mark.parametrize("ahead", [300, -300])
async def test_the_phone_system_has_a_clock_of_its_own(
    cloudlink: CloudLink, clock: FakeClock, ahead: float
) -> None:
    await cloudlink.sandbox.call("2001")
    await cloudlink.sandbox.set_faults(cloudlink_clock_seconds=ahead)
    await cloudlink.sandbox.hangup("2001")
    answer = await cloudlink.get(ENDPOINT)
    theirs = clock.now + timedelta(seconds=ahead)
    assert abs(answer.body["timestamp"] - theirs.timestamp() * 1000) < 10
    assert parsedate_to_datetime(answer.headers["Date"]) == theirs


async def test_faults_and_unknown_paths(cloudlink: CloudLink, clock: FakeClock) -> None:
    assert (await cloudlink.get("/media/2017-09-01/nothing")).status == 404
    await cloudlink.sandbox.set_faults(cloudlink_outage=True)
    outage = await cloudlink.get(ENDPOINT)
    assert outage.status == 503
    assert outage.headers["x-mitel-correlation-id"]
    await cloudlink.sandbox.set_faults(cloudlink_outage=False, cloudlink_throttle=True, retry_after=3)
    throttled = await cloudlink.get(ENDPOINT)
    until = parsedate_to_datetime(throttled.headers["Retry-After"])
    assert (throttled.status, until) == (429, clock.now + timedelta(seconds=3))
