import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from sandbox.cloudlink.webhooks import running_webhooks
from sandbox.state import Subscription, World
from tests.sandbox.callers import CloudLink
from tests.support.eventually import eventually


@dataclass
class Receiver:
    """A webhook receiver: returns ``statuses`` one by one, then 200."""

    statuses: list[int] = field(default_factory=list)
    slow: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.slow)
        self.bodies.append(await request.json())
        status = self.statuses.pop(0) if self.statuses else 200
        headers = {"Location": self.url + "elsewhere"} if status == 307 else {}
        return web.Response(status=status, headers=headers)

    async def wait(self, count: int) -> Sequence[dict[str, Any]]:
        await eventually(lambda: len(self.bodies) >= count)
        return self.bodies

    def states(self) -> list[str]:
        return [body["content"]["state"] for body in self.bodies]


@asynccontextmanager
async def serving(receiver: Receiver, port: int = 0) -> AsyncIterator[Receiver]:
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serving(Receiver()) as running:
        yield running


async def test_a_calls_whole_life_arrives_in_order(cloudlink: CloudLink, receiver: Receiver, world: World) -> None:
    receiver.slow = 0.02
    subscription = (await cloudlink.subscribe(receiver.url)).body["subscriptionId"]
    call_id = await cloudlink.sandbox.ring("2001", "+351211")
    await cloudlink.sandbox.answer("2001")
    await cloudlink.sandbox.conference("2001")
    await cloudlink.sandbox.hangup("2001")
    bodies = await receiver.wait(4)
    assert receiver.states() == ["ringing", "connected", "conferenced", "ended"]
    stamps = [body["content"]["timestamp"] for body in bodies]
    assert stamps == sorted(set(stamps))
    assert len({body["publicationId"] for body in bodies} | {body["content"]["eventId"] for body in bodies}) == 8
    first, person, account = bodies[0], world.saved.people[0], world.saved.account.id
    assert first["subject"] == f"/2017-09-01/endpoints/2001/calls/{call_id}"
    assert (first["topic"], first["method"]) == ("platform-api-media", "PUT")
    assert first["subscription"] == {"subscriptionId": subscription}
    assert first["publisher"] == {"accountId": account, "principalId": person.id}
    assert datetime.fromisoformat(first["notification"]["createdOn"])
    expected = {
        "eventType": "CallStateNotification",
        "callId": f"endpoints/2001/calls/{call_id}",
        "direction": "inbound",
        "from": "+351211",
        "to": "2001",
        "endpointId": "2001",
        "userId": person.id,
        "principalId": person.id,
        "accountId": account,
        "cause": "normal",
    }
    assert expected.items() <= first["content"].items()
    assert first["content"]["extraPbxData"] == {
        "alertingDevice": "2001",
        "calledDevice": "2001",
        "eventType": "deliveredEvent",
        "callTrackingID": call_id[:8],
    }
    said = [body["content"]["extraPbxData"]["eventType"] for body in bodies[1:]]
    assert said == ["establishedEvent", "conferencedEvent", "connectionClearedEvent"]


async def test_a_plain_call_is_named_by_its_id_alone(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.set_faults(plain_calls=True)
    call_id = await cloudlink.sandbox.call("2001")
    body = (await receiver.wait(2))[1]
    assert body["content"]["callId"] == call_id
    assert body["subject"].endswith(f"/calls/{call_id}")


async def test_a_devices_event_names_the_device_the_person_and_the_site(
    cloudlink: CloudLink, receiver: Receiver, world: World
) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.ring("5010-porto")
    (body,) = await receiver.wait(1)
    james = next(person for person in world.saved.people if person.extension == "2010")
    named = {name: body["content"][name] for name in ("endpointId", "userId", "siteId")}
    assert named == {"endpointId": "5010", "userId": james.id, "siteId": james.others[0].site_id}
    assert james.others[0].site_id != james.devices[0].site_id


async def test_an_unknown_state_may_carry_what_csta_calls_it(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.publish_state("2001", "parked")
    await cloudlink.sandbox.publish_state("2001", "gone", "connectionClearedEvent")
    unnamed, named = await receiver.wait(2)
    assert "eventType" not in unnamed["content"]["extraPbxData"]
    assert named["content"]["extraPbxData"]["eventType"] == "connectionClearedEvent"


async def test_a_phones_own_changes_arrive(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.dnd("2002")
    await cloudlink.sandbox.registered("2002", False)
    flagged, gone = await receiver.wait(2)
    assert flagged["subject"] == "/2017-09-01/endpoints/2002"
    assert flagged["content"]["eventType"] == "EndpointStateNotification"
    assert (flagged["content"]["state"], flagged["content"]["doNotDisturb"]) == ("idle", True)
    assert (gone["content"]["state"], gone["content"]["doNotDisturb"]) == ("offline", True)


async def test_an_unknown_state_is_delivered_unchanged(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.publish_state("2001", "parked")
    await receiver.wait(1)
    assert receiver.states() == ["parked"]


async def test_the_subject_filter_is_a_prefix(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url, subjectFilter="/2017-09-01/endpoints/2002")
    await cloudlink.sandbox.ring("2001")
    await cloudlink.sandbox.ring("2002")
    (body,) = await receiver.wait(1)
    assert body["content"]["endpointId"] == "2002"


async def test_nothing_comes_after_unsubscribing(cloudlink: CloudLink, receiver: Receiver) -> None:
    gone = (await cloudlink.subscribe(receiver.url)).body["subscriptionId"]
    kept = (await cloudlink.subscribe(receiver.url)).body["subscriptionId"]
    await cloudlink.sandbox.ring("2001")
    await receiver.wait(2)
    await cloudlink.delete(f"/notifications/2017-09-01/subscriptions/{gone}")
    await cloudlink.sandbox.answer("2001")
    await receiver.wait(3)
    await cloudlink.sandbox.hangup("2001")
    bodies = await receiver.wait(4)
    assert [body["subscription"]["subscriptionId"] for body in bodies[2:]] == [kept, kept]


async def test_lost_and_doubled_webhooks(cloudlink: CloudLink, receiver: Receiver) -> None:
    await cloudlink.subscribe(receiver.url)
    await cloudlink.sandbox.set_faults(lose_webhooks=True)
    await cloudlink.sandbox.ring("2001")
    await cloudlink.sandbox.set_faults(lose_webhooks=False, double_webhooks=True)
    await cloudlink.sandbox.answer("2001")
    first, second = await receiver.wait(2)
    assert receiver.states() == ["connected", "connected"]
    assert first["publicationId"] == second["publicationId"]
    await delivered(cloudlink.sandbox.world, 2)


async def delivered(world: World, count: int) -> None:
    """Wait until so many of the sandbox's webhooks were accepted."""
    await eventually(lambda: world.journal.counts.webhooks >= count)
    assert world.journal.counts.webhooks == count


def subscribe(world: World, url: str) -> None:
    world.saved.subscriptions["s"] = Subscription("s", "app", url, "platform-api-media", "/", "", world.now())


def dial_and_hang_up(world: World) -> None:
    services = world.phone_of(world.saved.people[0], world.saved.people[0].devices[0])
    services.dial("a", "+351")
    services.hang_up()


@pytest.mark.parametrize("statuses", [[503], [500, 502], [429]])
async def test_a_failing_receiver_is_tried_again_before_the_next(
    world: World, receiver: Receiver, statuses: list[int]
) -> None:
    receiver.statuses = list(statuses)
    subscribe(world, receiver.url)
    async with running_webhooks(world, (0.01, 0.01)):
        dial_and_hang_up(world)
        await receiver.wait(3 + len(statuses))
        await delivered(world, 3)
    assert receiver.states() == ["originated"] * len(statuses) + ["originated", "connected", "ended"]


@pytest.mark.parametrize("status", [400, 404, 307])
async def test_a_refusing_receiver_is_not_retried(world: World, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    subscribe(world, receiver.url)
    async with running_webhooks(world, (0.01, 0.01)):
        dial_and_hang_up(world)
        await receiver.wait(3)
    assert receiver.states() == ["originated", "connected", "ended"]


async def test_a_receiver_that_stays_down_loses_only_its_notification(world: World, receiver: Receiver) -> None:
    receiver.statuses = [503] * 3
    subscribe(world, receiver.url)
    async with running_webhooks(world, (0.01, 0.01)):
        dial_and_hang_up(world)
        await receiver.wait(5)
        await delivered(world, 2)
    assert receiver.states() == ["originated"] * 3 + ["connected", "ended"]


async def test_a_receiver_that_comes_up_late_gets_what_it_missed(world: World) -> None:
    async with serving(Receiver()) as early:
        port = int(early.url.split(":")[2].split("/")[0])
    subscribe(world, early.url)
    async with running_webhooks(world, (0.05,) * 40):
        dial_and_hang_up(world)
        await asyncio.sleep(0.1)
        async with serving(Receiver(), port) as late:
            await late.wait(3)
    assert late.states() == ["originated", "connected", "ended"]


async def test_ending_does_not_wait_for_a_receiver(world: World, receiver: Receiver) -> None:
    receiver.statuses = [503] * 10
    subscribe(world, receiver.url)
    async with asyncio.timeout(30):  # the receiver would be tried again after 60
        async with running_webhooks(world, (60.0,)):
            dial_and_hang_up(world)
            await receiver.wait(1)
    assert world.on_phone == []
