"""One seed: a working day, after which Teams has to show what the phones say."""

import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from unittest.mock import patch
from uuid import UUID

import structlog

from sync.domain.model import Actor, CloudLinkAccount, TeamsApp
from sync.engine import Engine, EngineConfig
from sync.scheduling.scheduler import Intervals
from tests.simulation import scenes
from tests.simulation.clients import SimulatedClients
from tests.simulation.cloudlink import CloudLinkModel
from tests.simulation.disk import Disk
from tests.simulation.graph import GraphModel, TeamsUser
from tests.simulation.oracle import wish
from tests.simulation.phones import ACCOUNT, Colleague, PhoneSystem
from tests.simulation.process import Installation, Process
from tests.simulation.world import Kind, World
from tests.support.stores import sqlite_with_tables

TENANT = "tenant-of-the-admin"
ADMIN = Actor("admin-1", "Ada Admin")
APP = TeamsApp("entra-tenant", "application-1", "entra-secret")
INTERVALS = Intervals(poll_with_webhooks=60, match=120, check_subscription=120, recheck_credentials=30, warn=30)
PUBLIC_URL = "https://presence.example.com"

DISK = Disk()

CALM = 180.0
"""Seconds after the last fault: late events have come, a sample was polled, both directories were read."""

LONG_CALM = 14 * INTERVALS.poll_with_webhooks
"""Seconds after which everybody was in a sample: so long may a silently lost event go unnoticed."""


@dataclass
class Outcome:
    """What a seed showed: ``faults`` are the promises that were broken."""

    seed: int
    faults: list[str]
    trace: list[str]
    seconds: float
    kinds: frozenset[Kind] = frozenset()
    figures: dict[str, int] = field(default_factory=dict)


def simulate(seed: int, without: frozenset[Kind] = frozenset()) -> Outcome:
    """Live through the day of ``seed``, without some kinds of faults."""
    began = process_time()
    kinds = _kinds(seed) - without
    world = World(seed, kinds)
    with TemporaryDirectory(prefix="simulation-") as folder, deterministic(world):
        sqlite_with_tables(Path(folder))
        Day(world, Path(folder) / "presence.db").live()
        gc.collect()
    return Outcome(seed, world.faults, list(world.trace), process_time() - began, kinds)


def _kinds(seed: int) -> frozenset[Kind]:
    """The faults of a seed: about half of all kinds."""
    dice = Random(f"{seed} kinds")
    return frozenset(kind for kind in Kind if dice.random() < 0.5)


@contextmanager
def deterministic(world: World) -> Iterator[None]:
    """Ids follow the seed; what is logged goes to the trace."""
    dice = world.dice("ids")

    def uuid() -> UUID:
        return UUID(int=dice.getrandbits(128), version=4)

    def record(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        world.note(f"log {event}")
        if event["event"] == "job_failed":
            world.fail(f"a job failed: {event}")
        raise structlog.DropEvent

    structlog.configure(processors=[record], cache_logger_on_first_use=False)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # what a killed process left is collected
    try:
        with patch("storage.tables.columns.uuid4", uuid), patch("core.correlation.uuid4", uuid):
            yield
    finally:
        sys.unraisablehook = hook
        structlog.reset_defaults()


class Day:
    """The models, the processes, and what happens when."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.phones = PhoneSystem(world)
        self.graph = GraphModel(world, quota=10_000)
        self.cloudlink = CloudLinkModel(world, self.phones)
        self._hire()
        config = EngineConfig("", "", "", PUBLIC_URL, self.graph.quota, intervals=INTERVALS)
        clients = SimulatedClients({ACCOUNT: self.cloudlink}, self.graph)
        DISK.insert(path, world.dice("disk"))
        self._installation = Installation(world, config, clients, DISK)
        self._is_over = False

    def _hire(self) -> None:
        for number in range(1, self.world.dice("people").randint(5, 12) + 1):
            address = f"person{number}@example.com"
            self.phones.add(Colleague(f"user-{number}", f"Person {number}", address, f"{2000 + number}"))
            self.graph.users[f"teams-{number}"] = TeamsUser(f"teams-{number}", address)

    def live(self) -> None:
        world, time = self.world, self.world.time
        time.after(1, lambda: self._do(self._set_up))
        time.after(10, lambda: scenes.play(world, scenes.day(world, self.phones)))
        time.after(world.busy + CALM, self._check)
        time.after(world.busy + LONG_CALM, self._check_all)
        self._plan(Kind.KILLS, 120, self._kill)
        self._plan(Kind.GRAPH_DOWN, 120, self.graph.go_down)
        while not self._is_over:
            Process(self._installation).run()
            time.after(world.dice("restarts").uniform(2, 20), lambda: None)
            time.advance(None)

    def _plan(self, kind: Kind, every: float, act: Callable[[], object]) -> None:
        """Have ``act`` happen at random times, so often."""
        dice, at = self.world.dice(f"plan {kind}"), 20.0
        while kind in self.world.kinds and (at := at + dice.expovariate(1 / every)) < self.world.busy:
            self.world.time.after(at, act)

    def _do(self, act: Callable[[Engine], Awaitable[object]]) -> None:
        if self.world.process:
            self.world.process.do(act)

    async def _set_up(self, engine: Engine) -> None:
        account = CloudLinkAccount("", ACCOUNT, "client", "cloudlink-secret")
        view = await engine.integrations.add(TENANT, "Vale Verde", account, APP, None, ADMIN)
        await engine.overview.preview(TENANT, view.id)
        await engine.integrations.enable(TENANT, view.id, ADMIN)

    def _kill(self) -> None:
        if self.world.process:
            self.world.note("KILLED")
            self.world.process.kill()

    def _check(self) -> None:
        """Those of whom nothing was lost in silence are shown rightly now."""
        wrong = self._wrong()
        for user_id, text in wrong.items():
            if user_id not in self.cloudlink.missed:
                self.world.fail(text)
        if not wrong:
            self._end()

    def _check_all(self) -> None:
        for text in self._wrong().values():
            self.world.fail(text)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._kill()

    def _wrong(self) -> dict[str, str]:
        found = {}
        for colleague in self.phones.colleagues:
            teams_id = colleague.user_id.replace("user", "teams")
            expected, shown = wish(self.phones, colleague.user_id), self.graph.shown(APP.client_id, teams_id)
            if expected != shown:
                found[colleague.user_id] = f"{colleague.user_id} is shown as {shown}, right is {expected}"
        return found
