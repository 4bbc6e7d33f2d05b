"""The product running for a year, on a clock moved by hand: processes that start, stop and die; phones; Teams.

Two processes on one store, the real sandbox, the real hosting and a connector that records what arrives. The
sandbox uses the same clock: secrets, tokens and presence expire as time passes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.cards.field_errors import Links
from bot.chat.bot_context import BotContext
from bot.languages import load_texts
from bot.proactive.notifier import Notifier
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from sandbox.state import World
from storage.database import Database
from storage.queries.health import notices
from storage.queries.health.notices import State
from storage.tables.notices import Notice
from storage.tables.rotations import Rotation
from sync.domain.jobs import EVERYTHING, NOTIFY, WARN
from sync.domain.rotation import RotationStep
from sync.scheduling.scheduler import Intervals
from tests.support.bot.hosting import Bot, SleepingClock, open_bot
from tests.support.engines import RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL
from tests.support.services.connectors import Call
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

ADMINS = ("ada", "ben", "cleo", "dan")
CALLERS = ("2001", "2002", "2003", "2004")
LEASE = timedelta(hours=1)
"""How long no other process takes over a rotation step whose process was killed."""

SLOW = Intervals(
    poll=300,
    match=1e9,
    cleanup=1e9,
    warn=1e9,
    tick=0.005,
    recheck_credentials=10,
    rotation_lease=LEASE.total_seconds(),
)


class Killed(Exception):
    """This process was killed: nothing it still does has an effect."""


@dataclass
class TrueTime:
    """The true time: the product's clock, unless that has been set wrong."""

    clock: SleepingClock
    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self.clock() + self.ahead

    def set_clock_back(self, span: timedelta) -> None:
        self.clock.now -= span
        self.ahead += span

    def set_clock_right(self) -> None:
        self.clock.now += self.ahead
        self.ahead = timedelta(0)


@dataclass
class PowerCut:
    """Both processes are killed once the rotation step before ``at`` is stored and ``at`` has not begun."""

    clock: Clock
    at: RotationStep | None = None
    happened: bool = False

    def apply_to(self, database: Database) -> None:
        """Within the block the store accepts writes until the power is cut, and none afterwards."""
        writing = database.writing

        @asynccontextmanager
        async def until_then() -> AsyncIterator[AsyncSession]:
            async with writing() as session:
                if self.happened:
                    raise Killed
                yield session
                is_now = self._is_now(session)
            if is_now:
                self.happened = True
                raise Killed

        database.writing = until_then  # type: ignore[method-assign]

    def _is_now(self, session: AsyncSession) -> bool:
        """Whether this transaction starts the step, or ends the rotation."""
        rows = [row for row in session.sync_session.identity_map.values() if isinstance(row, Rotation)]
        return any(row.step == self.at and (row.due_at is None or row.due_at > self.clock()) for row in rows)


@dataclass
class Year:
    """The running product and its surroundings."""

    bot: Bot
    sandbox: SandboxHandle
    folder: Path
    time: TrueTime
    processes: list[RunningEngine] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    random: Random = field(default_factory=lambda: Random(365))
    power: PowerCut = field(init=False)
    seen: int = 0
    begun: int = 0
    ended: int = 0

    def __post_init__(self) -> None:
        self.power = PowerCut(self.bot.clock)

    # Processes

    @property
    def engine(self) -> RunningEngine:
        return self.processes[0]

    async def start(self, count: int = 2) -> None:
        """Start processes on the store, wired as in app.py."""
        self.power = PowerCut(self.bot.clock)
        for _ in range(count):
            running = await self.stack.enter_async_context(
                running_engine(
                    self.sandbox,
                    self.folder,
                    webhooks=False,
                    clock=self.bot.clock,
                    steady=self.time,
                    intervals=SLOW,
                )
            )
            self.power.apply_to(running.database)
            rules = AdminsSetting(ADMINS)
            context = BotContext(running.database, rules, self.bot.clock, load_texts(), Links())
            notifier = Notifier(context, self.bot.host.messenger, Random(len(rules.admins)))
            await notifier.start()
            running.engine.jobs.replace(NOTIFY, notifier.notify)
            self.processes.append(running)

    async def stop(self) -> None:
        """Stop all processes."""
        await self.stack.aclose()
        self.processes.clear()

    async def die(self) -> None:
        """Let time pass until the power is cut."""
        await self.pass_time(5, self._is_dark)
        await self.stop()

    async def _is_dark(self) -> bool:
        return self.power.happened

    # Time

    async def settle(self) -> None:
        """Teams shows the phones' state, and every process schedules and sends the due notices."""
        await self.converge()
        await self.send_due_notices()

    async def converge(self) -> None:
        """Let time pass until Teams shows the phones' state and no change is waiting, or the power is cut."""
        self.bot.clock.advance(seconds=1)
        await self.pass_time(30, self._has_converged)

    async def _has_converged(self) -> bool:
        if self.power.happened:
            return True
        return not await self.wrong_presence() and (await self.engine.status()).waiting == 0

    async def pass_time(self, seconds: int, until: Callable[[], Awaitable[bool]]) -> None:
        """Advance by so many seconds, and so on until this holds; never while a job is running."""

        async def holds() -> bool:
            if any(running.metric("jobs_running") for running in self.processes):
                return False
            if not (found := await until()):
                self.bot.clock.advance(seconds=seconds)
            return found

        await eventually(holds)

    async def send_due_notices(self) -> None:
        """Every process schedules its notices and sends those that are due."""
        self.bot.clock.advance(seconds=1)
        since = self.bot.clock()
        for running in self.processes:
            await running.engine.jobs.defer(WARN, EVERYTHING)
        await eventually(lambda: self._have_sent_notices(since))

    async def _have_sent_notices(self, since: datetime) -> bool:
        ages = [running.metric("warned_timestamp_seconds") - since.timestamp() for running in self.processes]
        if not all(0 <= age < LEASE.total_seconds() for age in ages):
            return False
        async with self.engine.database.session() as session:
            due = await notices.integrations_with_due(session, self.bot.clock())
            moving = col(Notice.state).in_((State.SENDING, State.CLOSING))
            under_way = (await session.exec(select(Notice.id).where(moving))).all()
        return not due and not under_way

    async def half_a_day(self) -> None:
        """Advance to the next noon or midnight (UTC), with one call or hang-up."""
        await self._until(0, 12)

    async def pass_days(self, days: int) -> None:
        """Advance day by day, at noon, with one call or hang-up each day."""
        for _ in range(days):
            await self._until(12)

    async def skip_days(self, days: int) -> None:
        """Skip days, as if the machine had been asleep."""
        await self.change_a_call()
        self.bot.clock.advance(days=days)
        await self.settle()

    async def _until(self, *hours: int) -> None:
        await self.change_a_call()
        self.advance_to_hour(*hours)
        await self.settle()

    def advance_to_hour(self, *hours: int) -> None:
        """Advance to the next of these hours of the day."""
        hour = self.bot.clock().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        while hour.hour not in hours:
            hour += timedelta(hours=1)
        self.bot.clock.now = hour

    async def in_days(self, days: int) -> date:
        return self.bot.clock().date() + timedelta(days=days)

    # Phones, and what colleagues see of them

    async def change_a_call(self) -> None:
        """One of the callers makes or ends a call."""
        extension = self.random.choice(CALLERS)
        if (await self.sandbox.person(extension))["phone"]["calls"]:
            await self.sandbox.hangup(extension)
            self.ended += 1
        else:
            await self.sandbox.call(extension)
            self.begun += 1

    async def wrong_presence(self) -> list[str]:
        """The people whose presence differs from what their phone and Teams client imply."""
        people = (await self.sandbox.state())["people"]
        return [row["name"] for row in people if row["extension"] and row["teams"] and _is_astray(row)]

    # Notices

    async def arrived(self) -> dict[str, list[str]]:
        """The titles of the notices since the last call, by recipient."""
        calls, found = self.bot.connector.sent(), dict[str, list[str]]()
        for call in calls[self.seen :]:
            found.setdefault(chat_of(call), []).append(str(call.card["fallbackText"]))
        self.seen = len(calls)
        return found


def _is_astray(row: Mapping[str, Any]) -> bool:
    teams, own = row["teams"], row["teams"]["client"] or "Offline"
    expected = IN_A_CALL if row["phone"]["calls"] else (own, own)
    return (teams["shown"]["availability"], teams["shown"]["activity"]) != expected


def chat_of(call: Call) -> str:
    return unquote(call.path.split("/")[3]).removeprefix("a:")


@asynccontextmanager
async def start_year(folder: Path) -> AsyncIterator[Year]:
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(open_bot())
        time = TrueTime(bot.clock)
        world = World(time)
        del world.saved.people[len(CALLERS) + 1 :]
        sandbox = await stack.enter_async_context(running_sandbox(world))
        year = Year(bot, sandbox, folder, time)
        stack.push_async_callback(year.stop)
        await year.start()
        yield year
