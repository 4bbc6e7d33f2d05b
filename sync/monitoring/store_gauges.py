"""Gauges of what is in the database: read on every scrape, so that all processes report the same values."""

from datetime import datetime, timedelta
from math import nan

from core.clock import Clock
from core.metrics import STATES, Metrics
from storage.database import Database
from storage.queries.health import gauges, notices
from storage.queries.health.notices import State
from sync.problems import health

MIN_INTERVAL = timedelta(seconds=5)


class StoreGauges:
    """Reads counts from the database into the gauges, at most once in ``MIN_INTERVAL``."""

    def __init__(self, database: Database, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._refreshed_at: datetime | None = None

    async def refresh(self) -> None:
        """Update the gauges. Raises the database's errors; the gauges then keep their values."""
        now = self._clock()
        if self._refreshed_at and abs(now - self._refreshed_at) < MIN_INTERVAL:
            return
        await self._refresh_integrations(now)
        await self._refresh_notices()
        self._refreshed_at = now

    async def _refresh_integrations(self, now: datetime) -> None:
        async with self._database.session() as session:
            states = await gauges.integrations_by_state(session, health.TEAMS)
            problems = await gauges.open_problems(session)
            due = await gauges.due_people(session, health.TEAMS, now)
            webhook_at = await gauges.last_webhook_at(session)
            expiry = await gauges.soonest_expiry(session)
        for state in STATES:
            self._metrics.integrations.labels(state=state).set(states.get(state, 0))
        self._metrics.open_problems.clear()
        for service, fault, number in problems:
            self._metrics.open_problems.labels(service=service, fault=fault).set(number)
        self._metrics.pushes_due.set(due.people)
        self._metrics.push_overdue.set(_seconds(due.since, now) if due.since else 0)
        self._metrics.webhook_silence.set(_seconds(webhook_at, now) if webhook_at else nan)
        self._metrics.secret_days.set((expiry - now.date()).days if expiry else nan)

    async def _refresh_notices(self) -> None:
        async with self._database.session() as session:
            counts = await notices.count_by_state(session)
            self._metrics.unreachable_admins.set(await gauges.count_unreachable_administrators(session))
            self._metrics.nobody_reachable.set(await gauges.count_without_recipient(session))
        for state in State:
            self._metrics.notices.labels(state=state.value).set(counts.get(state.value, 0))


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
