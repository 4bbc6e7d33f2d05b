"""Applies CloudLink's events and snapshots to people's lines, and stores what Teams should show for them.

The desired presence is stored whatever the state of the credentials, so that after a fix it is pushed immediately.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from core.http import cleaned
from storage.queries import endpoints as endpoint_store
from storage.queries import events as event_store
from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.jobs import MATCH, POLL_NOW, PUSH
from sync.domain.phone_events import Event, LineSnapshot
from sync.phones.line_session import LineSession
from sync.phones.line_state import Verdict
from sync.scheduling import freshness

log = structlog.get_logger()

DUPLICATE = "duplicate"
"""A value of the metric's label ``verdict``, besides those of ``Verdict`` and ``Nobody``."""

MATCH_AGAIN = timedelta(minutes=5)
"""When a report contradicts the directory, it is read again, so long after the last time at the earliest."""


class EventIngestor:
    """Applies events and snapshots, each batch in one transaction, then queues the push."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics

    async def apply_events(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        """Apply events, by integration, in one transaction: they are stored on return.

        Duplicates, late events and those of unknown people change nothing. Unless ``waiting``, integrations that
        another transaction has locked are left out; their ids are returned.
        """
        now = self._clock()
        async with self._database.writing() as session:
            rows = await integrations.list_for_update(session, arrived, waiting=waiting)
            news = await _unseen(session, {row.id: arrived[row.id] for row in rows}, now)
            lines = await LineSession.load(session, news)
            duplicates = sum(len(arrived[row.id]) - len(news[row.id]) for row in rows)
            verdicts = Counter({DUPLICATE: duplicates})
            changed = []
            for row in rows:
                verdicts += await self._apply(session, row.id, lines[row.id], news[row.id], now)
                freshness.event_arrived(row, lines[row.id].reported, now)
                if await lines[row.id].flush(session, row, now) and row.enabled:
                    changed.append((PUSH, row.id))
        for verdict, count in verdicts.items():
            self._metrics.events.labels(verdict=verdict).inc(count)
        if changed:
            await self._jobs.defer_all(changed)
        for row in rows:
            await self._look_again(row, lines[row.id], now)
        return arrived.keys() - {row.id for row in rows}

    async def _apply(
        self, session: AsyncSession, integration_id: str, lines: "LineSession", news: Sequence[Event], now: datetime
    ) -> Counter[str]:
        verdicts: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        for event in sorted(news, key=lambda event: event.at or float("inf")):
            verdict = lines.apply_event(event, now)
            verdicts[verdict] += 1
            if verdict == Verdict.UNKNOWN_STATE:
                unknown[cleaned(event.state_name, 60)] += 1
        if unknown:
            await event_store.add_unknown_states(session, integration_id, unknown, now)
        return verdicts

    async def apply_snapshots(
        self, integration_id: str, snapshots: Sequence[LineSnapshot], asked_at: datetime
    ) -> None:
        """Apply what CloudLink returned to a request at ``asked_at``: it corrects what lost events left wrong."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            extensions = {each.extension for each in snapshots}
            in_doubt = await endpoint_store.mark_polled(session, integration_id, extensions, asked_at)
            lines = (await LineSession.load(session, {integration_id: snapshots}))[integration_id]
            before = {name: state for name, state in lines.states().items() if name not in in_doubt}
            for snapshot in snapshots:
                lines.apply_snapshot(snapshot, asked_at, current_cause(), now)
            unknown = _unknown_in(snapshots)
            if unknown:
                await event_store.add_unknown_states(session, integration_id, unknown, now)
            changed = await lines.flush(session, integration, now)
            freshness.poll_found(integration, before, lines.states(), now)
        await self._look_again(integration, lines, now)
        if not changed:
            return
        log.info("changes_polled", integration=integration.id, people=changed)
        if integration.enabled:
            if integration.subscription_id:
                self._metrics.missed.inc(changed)
            await self._jobs.defer(PUSH, integration_id)

    async def _look_again(self, integration: Integration, lines: LineSession, now: datetime) -> None:
        """Queue reading the phones whose state is in doubt, and the directory when a report contradicts it."""
        if not integration.enabled:
            return
        if lines.polls:
            await self._jobs.defer(POLL_NOW, integration.id, at=min(lines.polls))
        if lines.needs_match:
            matched_at = integration.matched_at or now - MATCH_AGAIN
            await self._jobs.defer(MATCH, integration.id, at=max(now, matched_at + MATCH_AGAIN))


async def _unseen(
    session: AsyncSession, arrived: Mapping[str, Sequence[Event]], now: datetime
) -> dict[str, list[Event]]:
    """The events that were not seen before, each once; they are marked as seen."""
    by_name = {(key, event.event_id): event for key, events in arrived.items() for event in events}
    new = await event_store.mark_seen(session, by_name.keys(), now)
    return {
        key: [event for (owner, _), event in by_name.items() if owner == key and (owner, event.event_id) in new]
        for key in arrived
    }


def _unknown_in(snapshots: Sequence[LineSnapshot]) -> Counter[str]:
    return Counter(
        cleaned(call.state_name, 60) for snapshot in snapshots for call in snapshot.calls if call.state is None
    )
