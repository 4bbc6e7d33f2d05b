"""The requests to Microsoft Graph in working hours, in virtual time, against the least that shows everything.

The least is a request when someone's first call begins and one when it ends, and one reading of the directory's
changes in a quarter of an hour. The reading that proves every minute what Teams shows is counted by itself.
"""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from sync.domain.changes import Request
from sync.domain.model import TeamsApp
from sync.domain.presence import Shown
from sync.domain.services import DirectoryPage
from sync.scheduling.scheduler import Intervals
from tests.simulation import day, scenes
from tests.simulation.models.graph import GraphClientModel, GraphModel, Result, TeamsUser
from tests.simulation.models.phones import Colleague, Device, PhoneSystem
from tests.simulation.world import World
from tests.support.storage.stores import sqlite_with_tables

INTERVALS = Intervals(schedule=30)
SECONDS, WARM_UP = 2400.0, 600.0
"""The second: seconds until the integration is set up and everybody was polled: they do not count."""


OFFICES = ((50, 6.0), (1000, 0.4))
"""People, and calls an hour of each."""


@dataclass(slots=True)
class Requests:
    """By their kind; ``read_back`` are not in the ratio."""

    asked: Counter[str] = field(default_factory=Counter)
    least: Counter[str] = field(default_factory=Counter)
    read_back: int = 0

    @property
    def ratio(self) -> float:
        return self.asked.total() / self.least.total()

    def __str__(self) -> str:
        return ", ".join(f"{kind} {self.asked[kind]} of {self.least[kind]}" for kind in sorted(self.least))


class Office:
    """``people`` who take ``calls`` an hour each, of three minutes on average."""

    def __init__(self, people: int, calls: float) -> None:
        self._people, self._calls = people, calls
        self.requests = Requests()
        self._talking: Counter[str] = Counter()

    def hire(self, world: World, graph: GraphModel) -> dict[str, PhoneSystem]:
        phones = PhoneSystem(world, "account-1")
        for number in range(self._people):
            address = f"person{number}@example.com"
            graph.users[f"teams-{number}"] = TeamsUser(f"teams-{number}", address)
            phones.add(Colleague(f"user-{number}", f"Person {number}", address, f"{10_000 + number}"))
        return {"account-1": phones}

    def scene(self, world: World, phones: PhoneSystem) -> Iterator[float]:
        dice, devices = world.dice("office"), list(phones.devices.values())
        yield WARM_UP
        while True:
            scenes.play(world, self._call(world, phones, dice.choice(devices)))
            yield dice.expovariate(self._people * self._calls / 3600)

    def _call(self, world: World, phones: PhoneSystem, device: Device) -> Iterator[float]:
        dice = world.dice("office")
        made = phones.start(device, "ringing")
        yield dice.uniform(2, 10)
        phones.change(device, made, "connected")
        self._count(device.user_id, 1)
        yield 20 + dice.expovariate(1 / 160)
        phones.end(device, made)
        self._count(device.user_id, -1)

    def _count(self, user_id: str, step: int) -> None:
        self._talking[user_id] += step
        if self._talking[user_id] == (1 if step > 0 else 0):
            self.requests.least["presence"] += 1


def live(people: int, calls: float) -> Requests:
    office = Office(people, calls)
    world = World(0, frozenset(), busy=SECONDS)
    requests, asked = office.requests, office.requests.asked
    requests.least["directory"] = int((SECONDS - WARM_UP) / INTERVALS.match)

    def counts() -> bool:
        return world.time.seconds > WARM_UP

    class Graph(GraphModel):
        def _result(self, app: TeamsApp, changes: Sequence[Request]) -> Result:
            asked["presence"] += len(changes) * counts()
            return super()._result(app, changes)

    class Client(GraphClientModel):
        async def read(self, user_ids: Sequence[str]) -> dict[str, Shown]:
            requests.read_back += counts()
            return await super().read(user_ids)

        async def changes(self, link: str) -> DirectoryPage:
            asked["directory"] += counts()
            return await super().changes(link)

    with TemporaryDirectory(prefix="day-") as folder, day.deterministic(world), ExitStack() as stack:
        for name, value in (
            ("tests.simulation.day.hire", office.hire),
            ("tests.simulation.day.GraphModel", Graph),
            ("tests.simulation.day.INTERVALS", INTERVALS),
            ("tests.simulation.day.CALM", 1.0),
            ("tests.simulation.day.LONG_CALM", 2.0),
            ("tests.simulation.day.QUIET", frozenset({"nothing"})),
            ("tests.simulation.scenes.day", office.scene),
            ("tests.simulation.models.clients.GraphClientModel", Client),
            ("tests.simulation.virtual_time.MAX_TURNS", 1_000_000),
            ("tests.simulation.world.World.note", lambda *_: None),
        ):
            stack.enter_context(patch(name, value))
        sqlite_with_tables(Path(folder))
        day.Day(world, Path(folder) / "presence.db").live()
        world.end()
        world.graves.clear()
        gc.collect()
    if world.faults:
        raise AssertionError(world.faults)
    return requests
