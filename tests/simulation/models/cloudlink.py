"""CloudLink in front of the phone system: answers requests, and posts events to the webhooks."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

from sync.cloudlink.tables import WireTables
from sync.cloudlink.wire import parse_snapshot
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import LinesRead
from tests.simulation.models.phones import PhoneSystem
from tests.simulation.world import Kind, World

LATEST = 60.0
"""Seconds by which an event may be late."""

TRIES = 15
ACCEPTED = 202


class CloudLinkModel:
    """Implements ``sync.domain.services.Phones`` for one account.

    ``missed`` are the people of whom an event was lost and nobody knows; ``offered`` those of whom one reached a
    process; ``known`` the pairs of person and extension of which an event was accepted. ``heard`` is when what
    last arrived of a person was said: the machine may sleep between an answer and its arrival. ``was_listed``: a
    whole list of users was read, so that an empty one is not believed. ``_arrivals`` is when the last event of each
    device arrives.
    """

    def __init__(self, world: World, phones: PhoneSystem) -> None:
        self.world = world
        self.phones = phones
        self.was_listed = False
        self.subscribed: dict[str, str] = {}
        self.missed: set[str] = set()
        self.offered: set[str] = set()
        self.known: set[tuple[str, str]] = set()
        self.heard: dict[str, float] = {}
        self._arrivals: dict[str, float] = {}
        self.down_until = 0.0
        self.refuses_until = 0.0
        self.away_until = 0.0
        self._numbers = count(1)
        self._tables = WireTables()
        phones.reports.append(self._publish)

    # Requests

    async def region(self) -> str:
        await self._request()
        return ""

    async def account_name(self) -> str:
        await self._request()
        return "Vale Verde"

    async def users(self) -> list[CloudLinkUser]:
        await self._request()
        found = [
            CloudLinkUser(each.user_id, each.name, each.address, each.extension, each.site)
            for each in self.phones.colleagues.values()
        ]
        if self.world.strikes(Kind.LISTS_SHRINK, 0.15):
            self.world.note("the list of users shrinks")
            length = self.world.dice(Kind.LISTS_SHRINK).choice((0, 0, len(found) // 2))
            if (length or not self.was_listed) and self.world.has(Kind.NO_POLLS):
                self.missed |= {each.user_id for each in found[length:]}
            return found[:length]
        self.was_listed = True
        return found

    async def lines(self, extensions: Sequence[str]) -> LinesRead:
        await self._request()
        if self.world.has(Kind.NO_POLLS):
            raise ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
        found = [self.phones.read(extension) for extension in extensions]
        self.world.note("polled", found)
        read_at = self.world.time.seconds
        await self._travel()
        if self.world.strikes(Kind.SLOW_POLLS, 0.3):
            await asyncio.sleep(self.world.dice(Kind.SLOW_POLLS).uniform(0.5, 10))
        for extension in extensions:
            if device := self.phones.devices.get(extension):
                self.heard[device.user_id] = max(read_at, self.heard.get(device.user_id, read_at))
        return LinesRead([parse_snapshot(*each, self._tables) for each in found if each])

    async def subscribe(self, webhook_url: str) -> str:
        await self._request()
        name = f"subscription-{next(self._numbers)}"
        self.subscribed[name] = webhook_url
        await self._travel()
        return name

    async def subscriptions(self) -> frozenset[str]:
        await self._request()
        return frozenset(self.subscribed)

    async def unsubscribe(self, subscription_id: str) -> None:
        await self._request()
        self.subscribed.pop(subscription_id, None)

    async def _request(self) -> None:
        await self._travel()
        if self.world.time.seconds < self.refuses_until:
            raise CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        if self.world.time.seconds < max(self.down_until, self.away_until):
            raise ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)

    async def _travel(self) -> None:
        await asyncio.sleep(self.world.dice("cloudlink").uniform(0.01, 0.3))

    # Faults

    def go_down(self) -> None:
        self.down_until = self.world.time.seconds + self.world.dice(Kind.CLOUDLINK_DOWN).uniform(1, 40)

    def refuse(self) -> None:
        self.refuses_until = self.world.time.seconds + self.world.dice(Kind.CLOUDLINK_REFUSES).uniform(1, 20)

    def be_away(self, seconds: float) -> None:
        """For long: nothing is answered, and no event arrives, also not later."""
        self.away_until = self.world.time.seconds + seconds

    @property
    def is_away(self) -> bool:
        return self.world.time.seconds < self.away_until

    def forget_calls(self) -> None:
        """The product knows of no call any more: without polls only the next event of each tells it."""
        if self.world.has(Kind.NO_POLLS):
            self.missed |= {each.user_id for each in self.phones.devices.values() if not each.is_quiet()}

    def begin_again(self) -> None:
        """An integration is added: until both directories are read, events are nobody's."""
        if self.was_listed and self.world.has(Kind.NO_POLLS):
            self.missed |= set(self.phones.colleagues)
        self.was_listed = False

    def is_out_of_sight(self, user_id: str) -> bool:
        """Whether this person is on the phone at a device that the product cannot know of: no event named it."""
        forgets = self.world.kinds & {Kind.LISTS_SHRINK, Kind.PEOPLE_MOVE, Kind.ADMINISTRATOR, Kind.POWER_CUTS}
        busy = {device.extension for device in self.phones.devices_of(user_id) if not device.is_quiet()}
        known = set() if forgets else {extension for person, extension in self.known if person == user_id}
        return bool(busy - known - {self.phones.colleagues[user_id].extension})

    def forget_subscriptions(self) -> None:
        self.world.note("the subscriptions vanish")
        self.subscribed.clear()

    # Events

    def _publish(self, event: dict[str, Any]) -> None:
        user_id = event["content"]["userId"]
        if self.world.has(Kind.NO_POLLS) and not self.subscribed:
            self.missed.add(user_id)
        for subscription_id, url in self.subscribed.items():
            if self.world.has(Kind.NO_EVENTS) or self.is_away:
                return
            if self.world.strikes(Kind.EVENTS_LOST, 0.1):
                self.world.note(f"lost {event['content']['eventId']}")
                self.missed.add(user_id)
                continue
            body = {**event, "subscription": {"subscriptionId": subscription_id}}
            for _ in range(2 if self.world.strikes(Kind.EVENTS_DOUBLED, 0.2) else 1):
                delay = self._delay()
                self.world.time.after(delay, Delivery(self, url, body).attempt)
                self._note_arrival(event["content"], self.world.time.seconds + delay)

    def _note_arrival(self, content: dict[str, Any], at: float) -> None:
        """Where dates may be wrong, an event that another overtook stays the last until the next poll."""
        device = content["endpointId"]
        if self.world.has(Kind.WRONG_DATES) and at < self._arrivals.get(device, at):
            self.missed.add(content["userId"])
        self._arrivals[device] = max(at, self._arrivals.get(device, at))

    def _delay(self) -> float:
        if self.world.strikes(Kind.EVENTS_LATE, 0.2):
            return self.world.dice(Kind.EVENTS_LATE).uniform(0, LATEST)
        return self.world.dice("delay").uniform(0.02, 0.4)


class Delivery:
    """An event that is posted again, some times, until it is accepted."""

    def __init__(self, cloudlink: CloudLinkModel, url: str, body: dict[str, Any]) -> None:
        self._cloudlink = cloudlink
        self._world = cloudlink.world
        self._url = url
        self._body = body
        self._tries = 0

    def attempt(self) -> None:
        if self._cloudlink.is_away:
            return
        self._tries += 1
        if self._world.process is None:
            self._refused("nobody listens")
        else:
            self._cloudlink.offered.add(self._body["content"]["userId"])
            self._world.process.receive(self._url.rpartition("/")[2], self._body, self._answered)

    def _answered(self, status: int) -> None:
        content = self._body["content"]
        if status != ACCEPTED:
            self._refused(str(status))
        else:
            self._world.note(f"accepted {content['eventId']}")
            self._cloudlink.known.add((content["userId"], content["endpointId"]))
            self._cloudlink.heard[content["userId"]] = self._world.time.seconds

    def _refused(self, why: str) -> None:
        content = self._body["content"]
        self._world.note(f"refused {content['eventId']}: {why}")
        if self._tries < TRIES:
            self._world.time.after(self._world.dice("retries").uniform(1, 5), self.attempt)
        elif self._world.has(Kind.NO_POLLS):
            self._cloudlink.missed.add(content["userId"])
