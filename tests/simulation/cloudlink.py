"""CloudLink in front of the phone system: answers requests, and posts events to the webhooks."""

import asyncio
import copy
from collections.abc import Sequence
from itertools import count
from typing import Any

from sync.cloudlink.tables import WireTables
from sync.cloudlink.wire import parse_snapshot
from sync.domain.phone_events import CloudLinkUser, LineSnapshot
from tests.simulation.phones import PhoneSystem
from tests.simulation.world import Kind, World

LATEST = 60.0
"""Seconds by which an event may be late."""

TRIES = 6
ACCEPTED = 202


class CloudLinkModel:
    """Implements ``sync.domain.services.Phones`` for one account.

    ``missed`` are the people of whom an event was lost and nobody knows.
    """

    def __init__(self, world: World, phones: PhoneSystem) -> None:
        self.world = world
        self.phones = phones
        self.subscribed: dict[str, str] = {}
        self.missed: set[str] = set()
        self._numbers = count(1)
        self._tables = WireTables()
        phones.reports.append(self._publish)

    async def account_name(self) -> str:
        await self._answer()
        return "Vale Verde"

    async def users(self) -> list[CloudLinkUser]:
        await self._answer()
        return [
            CloudLinkUser(each.user_id, each.name, each.address, each.extension) for each in self.phones.colleagues
        ]

    async def lines(self, extensions: Sequence[str]) -> list[LineSnapshot]:
        await self._answer()
        found = [self.phones.read(extension) for extension in extensions]
        await self._answer()
        return [parse_snapshot(*each, self._tables) for each in found if each]

    async def subscribe(self, webhook_url: str) -> str:
        await self._answer()
        name = f"subscription-{next(self._numbers)}"
        self.subscribed[name] = webhook_url
        await self._answer()
        return name

    async def subscriptions(self) -> frozenset[str]:
        await self._answer()
        return frozenset(self.subscribed)

    async def unsubscribe(self, subscription_id: str) -> None:
        await self._answer()
        self.subscribed.pop(subscription_id, None)

    async def _answer(self) -> None:
        """The time that a request takes, in one direction."""
        await asyncio.sleep(self.world.dice("cloudlink").uniform(0.01, 0.3))

    # Events

    def _publish(self, _extension: str, event: dict[str, Any]) -> None:
        user_id = event["content"]["userId"]
        for subscription_id, url in self.subscribed.items():
            if self.world.strikes(Kind.EVENTS_LOST, 0.1):
                self.world.note(f"lost {event['content']['eventId']}")
                self.missed.add(user_id)
                continue
            body = {**copy.deepcopy(event), "subscription": {"subscriptionId": subscription_id}}
            for _ in range(2 if self.world.strikes(Kind.EVENTS_DOUBLED, 0.2) else 1):
                self.world.time.after(self._delay(), _Delivery(self, url, body).attempt)

    def _delay(self) -> float:
        dice = self.world.dice("delay")
        if self.world.strikes(Kind.EVENTS_LATE, 0.2):
            return dice.uniform(0, LATEST)
        return dice.uniform(0.02, 0.4)


class _Delivery:
    """An event that is posted again, some times, until it is accepted."""

    def __init__(self, cloudlink: CloudLinkModel, url: str, body: dict[str, Any]) -> None:
        self._cloudlink = cloudlink
        self._url = url
        self._body = body
        self._tries = 0

    def attempt(self) -> None:
        self._tries += 1
        process = self._cloudlink.world.process
        if process is None:
            self._refused("nobody listens")
        else:
            process.receive(self._url.rpartition("/")[2], self._body, self._answered)

    def _answered(self, status: int) -> None:
        if status != ACCEPTED:
            self._refused(str(status))

    def _refused(self, why: str) -> None:
        world = self._cloudlink.world
        world.note(f"{self._body['content']['eventId']} refused: {why}")
        if self._tries < TRIES:
            world.time.after(world.dice("retries").uniform(1, 5), self.attempt)
