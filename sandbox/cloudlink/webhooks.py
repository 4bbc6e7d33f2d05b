"""The webhooks CloudLink sends: the documented body, in order for each subscription, retried a few times."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from sandbox.cloudlink.media import DIRECTIONS
from sandbox.cloudlink.notifications import TOPIC
from sandbox.cloudlink.responses import VERSION
from sandbox.state import Subscription, World
from sandbox.world.people import Device, Person
from sandbox.world.phones import Phone, PhoneCall

RETRY_AFTER = (0.2, 0.5, 1.0, 2.0)
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MOST_WAITING = 1000


def notification(world: World, person: Person, device: Device, call: PhoneCall | None) -> dict[str, Any]:
    """A device's state change as CloudLink publishes it: of one call, or of the device itself (None)."""
    subject = f"/{VERSION}/endpoints/{device.number}"
    content = {
        "endpointId": device.number,
        "userId": person.id,
        "principalId": person.id,
        "accountId": world.saved.account.id,
        "siteId": device.site_id,
        "eventId": world.new_id(),
        **(_endpoint_content(device.phone) if call is None else _call_content(world, device, call)),
    }
    return {
        "publicationId": world.new_id(),
        "topic": TOPIC,
        "method": "PUT",
        "subject": subject if call is None else f"{subject}/calls/{call.call_id}",
        "content": content,
        "publisher": {"accountId": world.saved.account.id, "principalId": person.id},
    }


def _call_content(world: World, device: Device, call: PhoneCall) -> dict[str, Any]:
    """As in Mitel's published sample: the call's id is a path, and what the PBX says is CSTA's (ECMA-269)."""
    is_plain = world.saved.faults.plain_calls
    pbx = {
        "alertingDevice": device.number,
        "calledDevice": call.to,
        "eventType": call.pbx_event,
        "callTrackingID": call.call_id[:8],
    }
    return {
        "eventType": "CallStateNotification",
        "callId": call.call_id if is_plain else f"endpoints/{device.number}/calls/{call.call_id}",
        "state": call.state,
        "cause": "normal",
        "direction": DIRECTIONS[call.direction],
        "from": call.from_,
        "to": call.to,
        "timestamp": call.changed_ms,
        "extraPbxData": {name: value for name, value in pbx.items() if value},
    }


def _endpoint_content(phone: Phone) -> dict[str, Any]:
    return {
        "eventType": "EndpointStateNotification",
        "state": phone.state,
        "doNotDisturb": phone.do_not_disturb,
        "timestamp": phone.changed_ms,
    }


class Webhooks:
    """Delivers phone events to each subscription, one at a time and in order."""

    def __init__(
        self, world: World, session: aiohttp.ClientSession, retry_after: Sequence[float] = RETRY_AFTER
    ) -> None:
        self._world, self._session, self._retry_after = world, session, retry_after
        self._queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    def publish(self, person: Person, device: Device, call: PhoneCall | None) -> None:
        """Queue a device's change for each matching subscription: once, unless a fault loses or doubles it."""
        published, faults = notification(self._world, person, device, call), self._world.saved.faults
        times = 0 if faults.lose_webhooks else 2 if faults.double_webhooks else 1
        self._drop_unsubscribed()
        for subscription in self._world.saved.subscriptions.values():
            if published["subject"].startswith(subscription.subject_filter):
                for _ in range(times):
                    self._queue(subscription).put_nowait(published)

    def _queue(self, subscription: Subscription) -> asyncio.Queue[dict[str, Any]]:
        queue = self._queues.get(subscription.id)
        if queue is None:
            queue = self._queues[subscription.id] = asyncio.Queue()
            self._workers[subscription.id] = asyncio.create_task(self._deliver_all(subscription, queue))
        while queue.qsize() >= _MOST_WAITING:
            queue.get_nowait()
        return queue

    def _drop_unsubscribed(self) -> None:
        for gone in self._queues.keys() - self._world.saved.subscriptions.keys():
            del self._queues[gone]
            self._workers.pop(gone).cancel()

    async def _deliver_all(self, subscription: Subscription, queue: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            await self._deliver(subscription, await queue.get())

    async def _deliver(self, subscription: Subscription, published: dict[str, Any]) -> None:
        """Post until it is accepted; retry a few times when the receiver is down or failing."""
        body = published | {
            "subscription": {"subscriptionId": subscription.id},
            "notification": {
                "createdOn": self._world.phone_time().isoformat(),
                "correlationId": self._world.new_id(),
            },
        }
        for pause in (*self._retry_after, None):
            if subscription.id not in self._world.saved.subscriptions or await self._post(subscription.url, body):
                return
            if pause is not None:
                await asyncio.sleep(pause)

    async def _post(self, url: str, body: dict[str, Any]) -> bool:
        try:
            async with self._session.post(url, json=body, timeout=_TIMEOUT, allow_redirects=False) as response:
                taken = response.status < 300
                final = response.status < 500 and response.status != 429
        except (aiohttp.ClientError, TimeoutError):
            return False
        if taken:
            self._world.journal.counts.webhooks += 1
            self._world.changed()
        return final

    async def stop(self) -> None:
        for worker in self._workers.values():
            worker.cancel()
        for worker in self._workers.values():
            with suppress(asyncio.CancelledError):
                await worker
        self._workers.clear()
        self._queues.clear()


@asynccontextmanager
async def running_webhooks(world: World, retry_after: Sequence[float] = RETRY_AFTER) -> AsyncIterator[Webhooks]:
    """Deliver webhooks for as long as the context lasts."""
    async with aiohttp.ClientSession() as session:
        webhooks = Webhooks(world, session, retry_after)
        world.on_phone.append(webhooks.publish)
        try:
            yield webhooks
        finally:
            world.on_phone.remove(webhooks.publish)
            await webhooks.stop()
