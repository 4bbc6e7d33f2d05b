"""Looks after every integration: what it owes its administrators is stored; whoever speaks to people is called."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import alerts, conversations, history, integrations, notices, problems, rotations
from storage.alerts import CHANNEL
from storage.database import Database
from storage.notices import State
from storage.tables import Integration
from sync.clock import Clock
from sync.jobs import Jobs
from sync.metrics import Metrics
from sync.names import EVERYTHING, NOTIFY, WARN
from sync.skew import TROUBLING
from sync.troubles import CLOCK, CLOCK_SKEWED
from sync.warnings import CHANGES, Closing, Listener, Plan, Situation, plan

log = structlog.get_logger()

LATELY = timedelta(days=7)
"""Problems healed within this time still count: their all-clear may be owed."""

Available = Callable[[Integration], int | None]
Skew = Callable[[], float | None]


class Warner:
    """Makes the plan of each integration and carries it out in the store. Any number of processes may."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        clock: Clock,
        metrics: Metrics,
        every: timedelta,
        available: Available,
        skew: Skew,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics
        self._every = every
        self._available = available
        self._skew = skew
        self._unheard: set[str] = set()

    async def look(self, _key: str) -> None:
        """The job: see what is owed, have it told, and come back later."""
        now = self._clock()
        await self._jobs.defer(WARN, EVERYTHING, at=now + self._every)
        async with self._database.session() as session:
            rows = [row for row in await integrations.all_of_them(session) if row.removing_since is None]
        await self._note_clock(rows, now)
        for integration in rows:
            await self._look_at(integration, now)
        self._unheard &= {integration.id for integration in rows}
        async with self._database.session() as session:
            due = await notices.integrations_with_due(session, now)
        for integration_id in due:
            await self._jobs.defer(NOTIFY, integration_id)
        self._metrics.warned_at.set(now.timestamp())

    async def _look_at(self, integration: Integration, now: datetime) -> None:
        async with self._database.session() as session:
            situation = await self._situation(session, integration, now)
        self._note_listeners(integration, situation.listeners)
        made = plan(situation)
        if made:
            await self._carry_out(made, now)

    async def _situation(self, session: AsyncSession, integration: Integration, now: datetime) -> Situation:
        return Situation(
            integration=integration,
            notices=await notices.of_integration(session, integration.id),
            problems=await problems.open_or_healed_since(session, integration.id, now - LATELY),
            rotations=await rotations.of_integration(session, integration.id),
            listeners=await listeners(session, integration),
            last_act=await history.latest(session, integration.owner_tenant, integration.id, CHANGES),
            update=self._available(integration),
            now=now,
        )

    async def _carry_out(self, made: Plan, now: datetime) -> None:
        async with self._database.writing() as session:
            await notices.add_new(session, made.new)
            await notices.move_all(session, made.dropped, State.WAITING, state=State.DROPPED)
            await notices.move_all(session, made.revived, State.UNREACHABLE, state=State.WAITING, due_at=now)
            for closing in made.closing:
                await _close(session, closing, now)

    def _note_listeners(self, integration: Integration, all_of_them: Sequence[Listener]) -> None:
        """Nobody to be reached is said once in the log; ``sync.census`` counts it as long as it lasts."""
        if any(listener.is_reachable for listener in all_of_them):
            self._unheard.discard(integration.id)
        elif integration.id not in self._unheard:
            self._unheard.add(integration.id)
            log.error("nobody_reachable", integration=integration.id)

    async def _note_clock(self, rows: list[Integration], now: datetime) -> None:
        """A wrong clock concerns everybody; each tenant is told once, with its oldest integration."""
        skew = self._skew()
        if skew is None:
            return
        oldest: dict[str, Integration] = {}
        for row in sorted(rows, key=lambda row: row.created_at):
            oldest.setdefault(row.owner_tenant, row)
        async with self._database.session() as session:
            known = {row.id for row in oldest.values() if await _has_clock_problem(session, row.id)}
        for row in oldest.values():
            if abs(skew) > TROUBLING and row.id not in known:
                log.warning("clock_skewed", seconds=int(skew))
                async with self._database.writing() as session:
                    facts = {"minutes": round(abs(skew) / 60)}
                    await problems.raise_one(session, row.id, CLOCK, CLOCK_SKEWED, facts, False, now)
            elif abs(skew) <= TROUBLING and row.id in known:
                log.info("clock_right_again")
                async with self._database.writing() as session:
                    await problems.heal(session, row.id, [CLOCK], now)


async def listeners(session: AsyncSession, integration: Integration) -> list[Listener]:
    """Everybody who may be told of an integration: its tenant's administrators and channels."""
    muted = await alerts.muted(session, integration.owner_tenant, integration.id)
    people = await conversations.administrators(session, integration.owner_tenant)
    channels = await alerts.channels(session, integration.owner_tenant)
    return [
        *(Listener(one.user_object_id, not one.unreachable, one.user_object_id in muted) for one in people),
        *(Listener(CHANNEL + one.conversation_id, not one.unreachable) for one in channels),
    ]


async def _close(session: AsyncSession, closing: Closing, now: datetime) -> None:
    await notices.move(
        session,
        closing.notice.id,
        State.SENT,
        state=State.CLOSING,
        facts={**closing.notice.facts, "closed": closing.how},
        closed_by=closing.by,
        closed_at=closing.at,
        due_at=now,
        attempts=0,
    )


async def _has_clock_problem(session: AsyncSession, integration_id: str) -> bool:
    return any(problem.service == CLOCK for problem in await problems.open_ones(session, integration_id))
