"""Looks after every integration: what it owes its administrators is stored; whoever speaks to people is called."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import alerts, conversations, history, integrations, notices, problems, rotations
from storage.queries.alerts import CHANNEL_PREFIX
from storage.queries.notices import State
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.jobs import EVERYTHING, NOTIFY, WARN
from sync.problems.clock_skew import TROUBLING
from sync.problems.incidents import CLOCK, CLOCK_SKEWED
from sync.problems.notice_plan import CHANGES, STANDING, Closing, Listener, Plan, Situation, plan

log = structlog.get_logger()

TOGETHER = 200
"""So many integrations are looked at with the same queries."""

LATELY = timedelta(days=7)
"""Problems healed within this time still count: their all-clear may be owed. So do notices that ended in it."""

Available = Callable[[Integration], int | None]
Skew = Callable[[], float | None]


class NoticeScheduler:
    """Makes the plan of each integration and carries it out in the store. Any number of processes may."""

    def __init__(self, context: Context, every: timedelta, available: Available, skew: Skew) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics
        self._every = every
        self._available = available
        self._skew = skew
        self._unheard: set[str] = set()

    async def look(self, _key: str) -> None:
        """The job: see what is owed, have it told, and come back later."""
        now = self._clock()
        await self._jobs.defer(WARN, EVERYTHING, at=now + self._every)
        async with self._database.session() as session:
            rows = [row for row in await integrations.list_all(session) if row.removing_since is None]
        await self._note_clock(rows, now)
        for start in range(0, len(rows), TOGETHER):
            await self._look_at(rows[start : start + TOGETHER], now)
        self._unheard &= {integration.id for integration in rows}
        async with self._database.session() as session:
            due = await notices.integrations_with_due(session, now)
        await self._jobs.defer_all((NOTIFY, integration_id) for integration_id in due)
        self._metrics.warned_at.set(now.timestamp())

    async def _look_at(self, rows: Sequence[Integration], now: datetime) -> None:
        async with self._database.session() as session:
            situations = await self._situations(session, rows, now)
        for situation in situations:
            self._note_listeners(situation.integration, situation.listeners)
            made = plan(situation)
            if made:
                await self._carry_out(made, now)

    async def _situations(
        self, session: AsyncSession, rows: Sequence[Integration], now: datetime
    ) -> list[Situation]:
        ids = [row.id for row in rows]
        known = await notices.list_relevant(session, ids, now - LATELY, STANDING)
        noted = await problems.open_or_healed_since(session, ids, now - LATELY)
        rotated = await rotations.by_integration(session, ids)
        listening = await _listeners(session, rows)
        told = [row.id for row in rows if any(each.state == State.SENT for each in known.get(row.id, []))]
        acts = await history.latest_by_integration(session, {row.owner_tenant for row in rows}, told, CHANGES)
        return [
            Situation(
                integration=row,
                notices=known.get(row.id, []),
                problems=noted.get(row.id, []),
                rotations=rotated.get(row.id, []),
                listeners=listening[row.id],
                last_act=acts.get((row.owner_tenant, row.id)),
                update=self._available(row),
                now=now,
            )
            for row in rows
        ]

    async def _carry_out(self, made: Plan, now: datetime) -> None:
        async with self._database.writing() as session:
            await notices.add_new(session, made.new)
            await notices.transition_all(session, made.dropped, State.WAITING, state=State.DROPPED)
            await notices.transition_all(session, made.revived, State.UNREACHABLE, state=State.WAITING, due_at=now)
            for closing in made.closing:
                await _close(session, closing, now)

    def _note_listeners(self, integration: Integration, listeners: Sequence[Listener]) -> None:
        """Log once that nobody can be reached; ``sync.monitoring.store_gauges`` counts it as long as it lasts."""
        if any(listener.is_reachable for listener in listeners):
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
            known = await problems.integrations_with_open(session, CLOCK)
        wrong = abs(skew) > TROUBLING
        untold = [row.id for row in oldest.values() if (row.id in known) != wrong]
        if untold:
            await self._note_skew(untold, skew if wrong else None, now)

    async def _note_skew(self, integration_ids: Sequence[str], skew: float | None, now: datetime) -> None:
        """None: the clock is right again."""
        if skew is None:
            log.info("clock_right_again")
        else:
            log.warning("clock_skewed", seconds=int(skew))
        async with self._database.writing() as session:
            for integration_id in integration_ids:
                if skew is None:
                    await problems.close_open(session, integration_id, [CLOCK], now)
                else:
                    facts = {"minutes": round(abs(skew) / 60)}
                    await problems.upsert_open(session, integration_id, CLOCK, CLOCK_SKEWED, facts, False, now)


async def _listeners(session: AsyncSession, rows: Sequence[Integration]) -> dict[str, list[Listener]]:
    """Everybody who may be told of each integration: its tenant's administrators and channels."""
    tenants = {row.owner_tenant for row in rows}
    muted = await alerts.muted_by_integration(session, tenants, [row.id for row in rows])
    people = await conversations.administrators_by_tenant(session, tenants)
    channels = await alerts.channels_by_tenant(session, tenants)
    found: dict[str, list[Listener]] = {}
    for row in rows:
        deaf = muted.get((row.owner_tenant, row.id), set())
        found[row.id] = [
            *(
                Listener(one.user_object_id, not one.unreachable, one.user_object_id in deaf)
                for one in people.get(row.owner_tenant, [])
            ),
            *(
                Listener(CHANNEL_PREFIX + one.conversation_id, not one.unreachable)
                for one in channels.get(row.owner_tenant, [])
            ),
        ]
    return found


async def _close(session: AsyncSession, closing: Closing, now: datetime) -> None:
    await notices.transition(
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
