"""People on the phone, and CloudLink's webhooks: calls arrive at random, however busy the receiver is."""

import asyncio
from asyncio import Lock
from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from tests.load.fleet import Phone, Tenant, all_phones

RETRY_AFTER = (0.2, 0.5, 1.0, 2.0, 4.0)
RINGING = (2.0, 8.0)
"""Seconds, from and until."""

ANSWERED = 0.85
TIMEOUT = aiohttp.ClientTimeout(total=10)


class Traffic:
    """Calls at ``rate`` a second over the whole fleet, each of ``talk`` seconds in the mean.

    ``accepted`` are the seconds until each webhook was accepted; ``counts`` are the calls, and the
    webhooks by status.
    """

    def __init__(
        self, fleet: list[Tenant], rate: float, talk: float, http: aiohttp.ClientSession, random: Random
    ) -> None:
        self._phones = list(all_phones(fleet))
        self._rate = rate
        self._talk = talk
        self._http = http
        self._random = random
        self._turns: defaultdict[int, Lock] = defaultdict(Lock)
        self._calls: set[asyncio.Task[None]] = set()
        self._posts: set[asyncio.Task[None]] = set()
        self.accepted: list[float] = []
        self.counts: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Calls for so many seconds; then the phones stay as they are and the remaining events are posted."""
        began = next_at = monotonic()
        while monotonic() < began + seconds:
            next_at += self._random.expovariate(self._rate)
            await asyncio.sleep(max(0.0, next_at - monotonic()))
            self._begin()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        while self._posts:
            await asyncio.wait(self._posts)

    def forget(self) -> None:
        """Reset the counts and measurements."""
        self.counts.clear()
        self.accepted.clear()

    def _begin(self) -> None:
        phone = self._random.choice(self._phones)
        if phone.state:
            self.counts["calls of who was in one"] += 1
            return
        self.counts["calls"] += 1
        phone.call_id = uuid4().hex
        task = asyncio.create_task(self._call(phone))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, phone: Phone) -> None:
        self._tell(phone, "ringing")
        await asyncio.sleep(self._random.uniform(*RINGING))
        if self._random.random() < ANSWERED:
            self._tell(phone, "connected")
            await asyncio.sleep(self._random.expovariate(1 / self._talk))
        self._tell(phone, "ended")

    def _tell(self, phone: Phone, state: str) -> None:
        before = phone.wanted
        phone.move("" if state == "ended" else state)
        if phone.wanted != before:
            self.counts["changes"] += 1
            self.counts["changes overtaken by the next"] += phone.wanted_since is not None
            phone.wanted_since = None if phone.shown == phone.wanted else monotonic()
        post = asyncio.create_task(self._post(phone.tenant, _content(phone, state)))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def _post(self, tenant: Tenant, content: dict[str, Any]) -> None:
        """In order for each tenant, retried when not accepted."""
        async with self._turns[tenant.number]:
            name, url = next(reversed(tenant.subscriptions.items()))
            body = orjson.dumps(_notification(tenant, name, content))
            for pause in (*RETRY_AFTER, None):
                began = monotonic()
                status = await self._status(url, body)
                self.counts[f"webhooks answered {status}"] += 1
                if 200 <= status < 300:
                    self.accepted.append(monotonic() - began)
                    return
                if pause is None:
                    self.counts["webhooks given up"] += 1
                else:
                    await asyncio.sleep(pause)

    async def _status(self, url: str, body: bytes) -> int:
        """0 for no response."""
        headers = {"Content-Type": "application/json"}
        try:
            async with self._http.post(url, data=body, headers=headers, timeout=TIMEOUT) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def _content(phone: Phone, state: str) -> dict[str, Any]:
    return {
        "eventType": "CallStateNotification",
        "endpointId": phone.extension,
        "userId": phone.user_id,
        "accountId": phone.tenant.account_id,
        "eventId": uuid4().hex,
        "callId": phone.call_id,
        "state": state,
        "direction": "incoming",
        "timestamp": phone.changed_ms,
    }


def _notification(tenant: Tenant, subscription: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "publicationId": uuid4().hex,
        "topic": "platform-api-media",
        "method": "PUT",
        "subject": f"/2017-09-01/endpoints/{content['endpointId']}/calls/{content['callId']}",
        "content": content,
        "publisher": {"accountId": tenant.account_id},
        "subscription": {"subscriptionId": subscription},
        "notification": {"createdOn": datetime.now(UTC).isoformat(), "correlationId": uuid4().hex},
    }
