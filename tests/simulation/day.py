"""One seed: a working day, after which Teams has to show what the phones say."""

import asyncio
import gc
import logging
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from unittest.mock import patch
from uuid import UUID

import structlog

from sync.domain.features import INITIAL, NEWEST
from sync.engine import Engine, EngineConfig
from sync.scheduling.scheduler import Intervals
from tests.simulation import scenes
from tests.simulation.acts.administrator import CLIENT_ID, TENANT, Administrator
from tests.simulation.acts.mappings import MappingActs
from tests.simulation.acts.people import PeopleActs
from tests.simulation.acts.questions import Questions
from tests.simulation.acts.rules import RuleActs
from tests.simulation.company import edit_directory, edit_groups, hire, people_of
from tests.simulation.disk import Disk
from tests.simulation.models.clients import SimulatedClients
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.models.graph import GraphModel
from tests.simulation.models.phones import PhoneSystem
from tests.simulation.process import Installation, Process
from tests.simulation.rules.choices import SCHEDULE, Choices
from tests.simulation.rules.hours import turned_lately
from tests.simulation.rules.notices import add_recipient, is_a_list_doubted, repeated
from tests.simulation.rules.oracle import right, right_texts, showable, state
from tests.simulation.world import QUIET, Kind, World, kinds_of
from tests.support.storage.stores import sqlite_with_tables

INTERVALS = Intervals(
    schedule=15, poll_with_webhooks=60, match=60, check_subscription=60, recheck_credentials=30, warn=60
)
PUBLIC_URL = "https://presence.example.com"
DISK = Disk()
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 a folder of its own in it
"""Where files cost no disk."""

CALM = 240.0
"""Seconds after the last fault: late events have come, a sample was polled, both directories were read."""

LOOKS, WHOLE_CALM = (40.0, 65.0), 0.1
"""Seconds after the last fault: when everybody is right at both, only some days go on to the end of the calm."""

TURN, SLOW_TURN = 30.0, 90.0
"""Seconds within which the edge of a schedule is acted on, also with a small quota."""

HOUR, AWAKE, POLLS = 4000.0, 60.0, 620.0
"""Seconds of a long outage: asleep, and awake twice; between, asleep for as long as polls may take after a gap."""

LOOKED_AT = "people looked at"

QUESTIONS = 6
"""How often *why* is asked about someone, on each day."""

SHOWN_WITHIN = timedelta(minutes=2)
"""Within which everybody of a list that was doubted is polled and shown, also with a small quota."""

WITHIN = 5.0
"""Seconds within which a change is shown on a day without faults."""

LONG_CALM = 14 * INTERVALS.poll_with_webhooks
"""Seconds after which everybody was in a sample: so long may a silently lost event go unnoticed."""


@dataclass
class Outcome:
    """What a seed showed: ``faults`` are the promises that were broken."""

    seed: int
    faults: list[str]
    trace: list[str]
    seconds: float
    kinds: frozenset[Kind]
    counts: Mapping[str, int]


def prepare() -> None:
    """Search for garbage only after each day, and do not warn of what killed processes left."""
    warnings.simplefilter("ignore")
    logging.disable()
    gc.collect()
    gc.freeze()
    gc.disable()


def simulate(seed: int, without: frozenset[Kind] = frozenset(), *, is_traced: bool = False) -> Outcome:
    """Live through the day of ``seed``, without some kinds of faults. A trace costs a fifth more."""
    began = process_time()
    world = World(seed, kinds_of(seed) - without, is_traced=is_traced)
    with TemporaryDirectory(prefix="simulation-", dir=MEMORY) as folder, deterministic(world):
        sqlite_with_tables(Path(folder))
        Day(world, Path(folder) / "presence.db").live()
        world.end()
        world.graves.clear()
        gc.collect()
        gc.freeze()
    return Outcome(seed, world.faults, list(world.trace), process_time() - began, world.kinds, world.counts)


@contextmanager
def deterministic(world: World) -> Iterator[None]:
    """Ids follow the seed; what is logged goes to the trace."""
    dice = world.dice("ids")

    def uuid() -> UUID:
        return UUID(int=dice.getrandbits(128), version=4)

    def record(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        world.note("log", event)
        if event["event"] == "job_failed" and not world.has(Kind.STORE_AWAY):
            world.fail(f"a job failed: {event}")
        raise structlog.DropEvent

    level = logging.DEBUG if world.is_traced else logging.ERROR
    kind = structlog.make_filtering_bound_logger(level)
    structlog.configure(processors=[record], wrapper_class=kind, cache_logger_on_first_use=False)
    sys.unraisablehook = lambda _: None  # what a killed process left is collected
    with ExitStack() as stack:
        for name in ("storage.tables.columns.uuid4", "core.correlation.uuid4"):
            stack.enter_context(patch(name, uuid))
        stack.enter_context(patch("sync.flow.aftermath.MATCH_AGAIN", timedelta(seconds=INTERVALS.match)))
        if world.has(Kind.SHORT_SESSIONS):
            stack.enter_context(patch("sync.presence.plan.SESSION_SECONDS", 300))
        yield


class Day:
    """The models, the processes, and what happens when."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        least = 12 if world.has(Kind.STATUS_MESSAGES) else 4
        quota = world.dice(Kind.SMALL_QUOTA).randint(least, 20) if world.has(Kind.SMALL_QUOTA) else 10_000
        self.graph = GraphModel(world, quota)
        self.systems = hire(world, self.graph)
        self.cloudlinks = {name: CloudLinkModel(world, phones) for name, phones in self.systems.items()}
        self.choices = Choices()
        self.administrator = Administrator(world, self.graph, self.cloudlinks, self.choices)
        self.acts = PeopleActs(world, self.graph, self.cloudlinks, self.choices)
        self.questions = Questions(self.acts)
        self.rule_acts = RuleActs(self.acts)
        self.mapping_acts = MappingActs(self.acts)
        version = NEWEST if world.has(Kind.STATUS_MESSAGES) else INITIAL
        config = EngineConfig("", "", "", PUBLIC_URL, quota, intervals=INTERVALS, initial_version=version)
        DISK.insert(path, world.dice("disk"))
        self._installation = Installation(world, config, SimulatedClients(self.cloudlinks, self.graph), DISK)
        self._path = path
        add_recipient(path)
        self._is_over = False
        self._right_looks = 0
        self._expected: dict[str, str | None] = {}
        self._right_at: dict[str, float] = {}
        self._waiting: set[str] = set()

    def live(self) -> None:
        time = self.world.time
        self._plan_work()
        self._plan_faults()
        time.after(self.world.busy, self._be_away if self.world.has(Kind.LONG_OUTAGE) else self._calm_down)
        while not self._is_over:
            Process(self._installation).run()
            self._is_over |= bool(self.world.faults)
            self._wait(self.world.dice("restarts").uniform(2, 20))

    def _calm_down(self) -> None:
        """The last fault is over: when is everybody looked at?"""
        time = self.world.time
        if self.world.dice("calm").random() > WHOLE_CALM and not self.world.has(Kind.SHORT_SESSIONS):
            for look in LOOKS:
                time.after(look, lambda: self._do(self._look))
        time.after(CALM, lambda: self._do(self._check))
        time.after(LONG_CALM, lambda: self._do(self._check_all))
        time.after(LONG_CALM + 60, self._end)

    def _be_away(self) -> None:
        """CloudLink is away for more than an hour, in which many hang up; the machine sleeps, to save time.

        On half of these days the process ends twice meanwhile.
        """
        dice = self.world.dice(Kind.LONG_OUTAGE)
        for cloudlink in self.cloudlinks.values():
            cloudlink.be_away(HOUR + AWAKE + POLLS + AWAKE)
            for device in cloudlink.phones.devices.values():
                for call in [each for each in device.calls.values() if dice.random() < 0.5]:
                    cloudlink.phones.end(device, call)
        time = self.world.time
        is_restarted = dice.random() < 0.5
        if is_restarted:
            self._kill()
        time.sleep(HOUR)
        if is_restarted:
            time.after(AWAKE - 1, self._kill)
        time.after(AWAKE, lambda: time.sleep(POLLS))
        time.after(AWAKE + POLLS + AWAKE - 1, self._check_nobody)
        time.after(AWAKE + POLLS + AWAKE, self._calm_down)

    def _check_nobody(self) -> None:
        """Nobody is shown of whom nothing was heard for an hour."""
        shown = [each for each in self.graph.users if self.graph.shown(CLIENT_ID, each)]
        if shown and self.world.process:
            self.world.fail(f"{shown} are shown, though CloudLink was away for more than an hour")

    def _wait(self, seconds: float) -> None:
        """Nothing of the product runs for a while."""
        until = self.world.time.seconds + seconds
        while not self._is_over and self.world.time.seconds < until:
            self.world.time.advance(until - self.world.time.seconds)

    def _plan_work(self) -> None:
        time, world = self.world.time, self.world
        for second in (1, 6, 40):
            time.after(second, lambda: self._do(self.administrator.set_up))
        for phones in self.systems.values():
            time.after(8, partial(scenes.play, world, scenes.day(world, phones)))
        if world.kinds <= QUIET:
            time.after(20, self._watch)
        self._plan(Kind.ADMINISTRATOR, 16, lambda: self._do(self.administrator.act))
        for _ in range(QUESTIONS):
            at = world.dice("questions").uniform(20, world.busy + LOOKS[0])
            time.after(at, partial(self._do, self.questions.ask_why))
        for kind, every, act in (
            (Kind.EXCLUSIONS, 12, self.acts.exclude),
            (Kind.MATCHES_BY_HAND, 12, self.acts.match),
            (Kind.SHOWN_AGAIN, 12, self.acts.show_again),
            (Kind.MAPPINGS, 18, self.acts.map),
            (Kind.SCOPES, 18, self.rule_acts.limit),
            (Kind.OPT_OUTS, 15, self.rule_acts.opt_out),
            (Kind.SCHEDULES, 25, self.rule_acts.set_hours),
            (Kind.IMPORTS, 25, self.rule_acts.bring),
            (Kind.STATUS_MESSAGES, 25, self.rule_acts.word),
            (Kind.SOME_MAPPINGS, 9, self.mapping_acts.act),
        ):
            self._plan(kind, every, partial(self._do, act))
        self._plan(Kind.STATUS_MESSAGES, 15, self._write_own)
        self._plan(Kind.PEOPLE_MOVE, 22, lambda: edit_directory(world, self.graph))
        self._plan(Kind.GROUPS_CHANGE, 12, lambda: edit_groups(world, self.graph))
        self._plan(Kind.OWN_STATES, 10, self._choose_own)

    def _write_own(self) -> None:
        dice = self.world.dice("own words")
        self.graph.write_own(dice.choice(list(self.graph.users)), dice.uniform(3, 60))

    def _choose_own(self) -> None:
        dice = self.world.dice("own states")
        self.graph.choose(dice.choice(list(self.graph.users)), dice.uniform(3, 60))

    def _watch(self) -> None:
        """On a quiet day, nobody is shown wrongly for longer than ``WITHIN`` seconds."""
        people = showable(self.systems.values(), self.graph, self.choices, self.world.clock())
        expected, now = right(people, self.graph, self.choices), self.world.time.seconds
        turned = any(self._turned(phones) for phones in self.systems.values())
        for teams_id, presence in expected.items():
            shown = self.graph.shown(CLIENT_ID, teams_id)
            has_changed = presence != self._expected.get(teams_id)
            if (
                shown == presence
                or has_changed
                or turned
                or teams_id in self.graph.refused
                or self._was_missed(teams_id)
            ):
                self._right_at[teams_id] = now
            elif now - self._right_at.get(teams_id, now) > WITHIN:
                self.world.fail(f"{teams_id} is shown as {shown} for {WITHIN:.0f} s, right is {presence}")
            self.world.counts[LOOKED_AT] += 1
        self._expected = expected
        if self.world.faults:
            self._end()
        elif self.world.is_busy:
            self.world.time.after(1, self._watch)

    def _plan_faults(self) -> None:
        dice = self.world.dice("machine")
        for cloudlink in self.cloudlinks.values():
            self._plan(Kind.CLOUDLINK_DOWN, 22, cloudlink.go_down)
            self._plan(Kind.CLOUDLINK_REFUSES, 27, cloudlink.refuse)
            self._plan(Kind.SUBSCRIPTION_VANISHES, 45, cloudlink.forget_subscriptions)
        self._plan(Kind.GRAPH_DOWN, 22, self.graph.go_down)
        self._plan(Kind.GRAPH_REFUSES, 27, self.graph.refuse)
        self._plan(Kind.GRAPH_THROTTLES, 22, self.graph.throttle)
        self._plan(Kind.KILLS, 20, self._kill)
        self._plan(Kind.STOPS, 34, self._stop)
        self._plan(Kind.POWER_CUTS, 34, lambda: self._cut_power(dice.uniform(0, 8)))
        self._plan(Kind.CLOCK_STEPS, 34, lambda: self._set_clock(dice.choice((1, -1)) * self._step(dice.random())))
        self._plan(Kind.SLEEPS, 34, lambda: self._sleep(dice.uniform(5, 80)))
        self._plan(Kind.STORE_AWAY, 27, lambda: self._fill_disk(dice.uniform(0.1, 20)))

    def _plan(self, kind: Kind, every: float, act: Callable[[], object]) -> None:
        """Have ``act`` happen at random times, so often."""
        dice, at = self.world.dice(f"plan {kind}"), 20.0
        while self.world.has(kind) and (at := at + dice.expovariate(1 / every)) < self.world.busy:
            self.world.time.after(at, partial(self._count, kind, act))

    def _count(self, kind: Kind, act: Callable[[], object]) -> None:
        self.world.counts[kind] += 1
        act()

    def _do(self, act: Callable[[Engine], Awaitable[object]]) -> None:
        if self.world.process:
            self.world.process.do(act)

    # Faults of the machine

    def _kill(self) -> None:
        if self.world.process:
            self.world.note("KILLED")
            self.world.process.kill()

    def _stop(self) -> None:
        if self.world.process:
            self.world.note("STOPPED")
            self.world.process.stop()

    def _cut_power(self, unsynced: float) -> None:
        DISK.remember()

        def cut() -> None:
            self.world.note(f"POWER CUT, {unsynced:.1f} s unsynced")
            DISK.cut_power()
            self.graph.forget_unsynced(unsynced)
            self._kill()

        self.world.time.after(unsynced, cut)

    def _step(self, size: float) -> float:
        """Most steps of a clock are small."""
        longest = 20.0 if self.world.has(Kind.SHORT_SESSIONS) else 3600.0
        return longest * float(size) ** 3

    def _set_clock(self, seconds: float) -> None:
        """Whom Graph refuses when the clock is set ahead waits by it: for as long as it seems to refuse them."""
        self.world.note(f"CLOCK SET by {seconds:.1f} s")
        if seconds > 0:
            self._waiting |= set(filter(self.graph.is_refused, self.graph.users))
        self.world.clock_error += timedelta(seconds=seconds)

    def _sleep(self, seconds: float) -> None:
        if self.world.time.seconds + seconds < self.world.busy:
            self.world.note(f"SLEEP {seconds:.1f} s")
            self.world.time.sleep(seconds)

    def _fill_disk(self, seconds: float) -> None:
        self.world.note("DISK FULL")
        DISK.is_full = True

        def free() -> None:
            DISK.is_full = False

        self.world.time.after(seconds, free)

    # What is right

    async def _look(self, engine: Engine) -> None:
        """When everybody was right at each look, the day is over before the calm is."""
        self._right_looks += not await self._wrong(engine)
        if self._right_looks == len(LOOKS):
            self._end()

    async def _check(self, engine: Engine) -> None:
        """Those of whom nothing was lost in silence are shown rightly now, unless half a directory is lost."""
        wrong = await self._wrong(engine)
        is_doubted = is_a_list_doubted(self._path, self.world.clock() - SHOWN_WITHIN)
        for teams_id, text in wrong.items():
            if not (self._was_missed(teams_id) or is_doubted):
                self.world.fail(text)
        if not wrong and not self.world.has(Kind.SMALL_QUOTA):
            await self.questions.ask_of_all(engine, is_settled=not is_doubted)
        if not wrong or self.world.faults:
            self._end()

    async def _check_all(self, engine: Engine) -> None:
        for teams_id, text in (await self._wrong(engine)).items():
            if not (self.world.has(Kind.NO_POLLS) and self._was_missed(teams_id)):
                self.world.fail(text)
        self._end()

    def _end(self) -> None:
        if not self.world.kinds & {Kind.CLOCK_STEPS, Kind.POWER_CUTS}:
            for text in repeated(self._path):
                self.world.fail(text)
        self._is_over = True
        self._kill()

    async def _wrong(self, engine: Engine) -> dict[str, str]:
        views = await engine.integrations.list(TENANT)
        seen = await self.acts.seen(engine, views) | await self.rule_acts.seen(engine, views)
        seen |= self.mapping_acts.seen(views)
        for text in self.choices.learn(seen, may_be_lost=self.world.has(Kind.POWER_CUTS)):
            self.world.fail(text)
        enabled = [self.systems[view.cloudlink_account_id] for view in views if view.enabled]
        if any(self._turned(phones) for phones in enabled):
            await asyncio.sleep(self._turn)
        people = list(showable(enabled, self.graph, self.choices, self.world.clock()))
        expected = right(people, self.graph, self.choices)
        self.world.counts[LOOKED_AT] += len(expected)
        texts = right_texts(people, self.graph, self.choices) if self.world.has(Kind.STATUS_MESSAGES) else {}
        return {
            teams_id: f"{teams_id} is shown as {shown}, right is {wanted}: {self._doing(teams_id)}"
            for teams_id in self.graph.users
            if (shown := self._shown(teams_id, texts)) != (wanted := (expected[teams_id], texts.get(teams_id, "")))
            and not self._is_out_of_sight(teams_id)
            and not (teams_id in self._waiting and shown[0] is None)
        }

    def _shown(self, teams_id: str, texts: Mapping[str, str]) -> tuple[str | None, str]:
        """With the message; a person's own words, or that they were taken back, is what they want."""
        message = self.graph.messages.get(teams_id)
        is_theirs = (message and message.is_own) or (
            teams_id in self.graph.wordy and not self.graph.message(teams_id)
        )
        text = texts.get(teams_id, "") if is_theirs else self.graph.message(teams_id)
        if not text and self.graph.message_by_sender(teams_id) == texts.get(teams_id):
            text = texts[teams_id]
        return self.graph.shown(CLIENT_ID, teams_id), text

    def _turned(self, phones: PhoneSystem) -> bool:
        """Whether its hours began or ended lately: schedules are looked at every some seconds."""
        return turned_lately(self.choices.of_account(SCHEDULE, phones.account_id), self.world.clock(), self._turn)

    @property
    def _turn(self) -> float:
        return SLOW_TURN if self.world.has(Kind.SMALL_QUOTA) else TURN

    def _doing(self, teams_id: str) -> str:
        people = people_of(self.systems.values(), self.graph, self.choices, teams_id)
        return ", ".join(f"{user_id} {state(phones, user_id)}" for phones, user_id in people)

    def _was_missed(self, teams_id: str) -> bool:
        people = people_of(self.systems.values(), self.graph, self.choices, teams_id)
        return any(user_id in self.cloudlinks[phones.account_id].missed for phones, user_id in people)

    def _is_out_of_sight(self, teams_id: str) -> bool:
        people = people_of(self.systems.values(), self.graph, self.choices, teams_id)
        return any(self.cloudlinks[phones.account_id].is_out_of_sight(user_id) for phones, user_id in people)
