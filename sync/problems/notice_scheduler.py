"""Plans the notices of every integration, stores them, and queues their delivery (the job ``NOTIFY``)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import history, integrations, rotations
from storage.queries.chat import conversations
from storage.queries.health import alerts, notices, problems
from storage.queries.health.alerts import CHANNEL_PREFIX
from storage.queries.health.notices import State
from storage.tables.integrations import Integration
from storage.tables.notices import AlertPreference, Notice
from sync.domain.context import Context
from sync.domain.jobs import EVERYTHING, NOTIFY, WARN
from sync.domain.reports import Cadence
from sync.problems.clock_skew import MAX_SKEW
from sync.problems.digests import Wish
from sync.problems.incidents import CLOCK, CLOCK_SKEWED
from sync.problems.notice_plan import (
    CHANGES,
    CLOSABLE,
    PROBLEM,
    Plan,
    PlanInput,
    Recipient,
    Resolution,
    digests_due,
    plan,
)

log = structlog.get_logger()

BATCH = 200
"""How many integrations are read with the same queries."""

RECENT = timedelta(days=7)
"""Problems closed within this time are read too, for their all-clear may be due; so are notices."""

Available = Callable[[Integration, datetime], int | None]
Skew = Callable[[], float | None]
Digest = Callable[[Integration, datetime, datetime], Awaitable[Mapping[str, Any] | None]]


class NoticeScheduler:
    """Plans each integration's notices and stores the plan. Several processes may do so at the same time.

    ``available`` returns the feature version that an integration could install, ``skew`` the clock's skew in
    seconds; both may return None. So may ``digest``: what there is to say of an integration in a time.
    """

    def __init__(
        self, context: Context, every: timedelta, available: Available, skew: Skew, digest: Digest
    ) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics
        self._every = every
        self._available = available
        self._skew = skew
        self._digest = digest
        self._without_recipient: set[str] = set()

    async def run(self, _key: str) -> None:
        """The job: store the notices that are due, queue their delivery and the next run."""
        now = self._clock()
        await self._jobs.defer(WARN, EVERYTHING, at=now + self._every)
        async with self._database.session() as session:
            rows = [row for row in await integrations.list_all(session) if row.removing_since is None]
        await self._check_clock(rows, now)
        for start in range(0, len(rows), BATCH):
            await self._plan(rows[start : start + BATCH], now)
        self._without_recipient &= {integration.id for integration in rows}
        async with self._database.session() as session:
            due = await notices.integrations_with_due(session, now)
        await self._jobs.defer_all((NOTIFY, integration_id) for integration_id in due)
        self._metrics.warned_at.set(now.timestamp())

    async def _plan(self, rows: Sequence[Integration], now: datetime) -> None:
        async with self._database.session() as session:
            inputs = await self._read_inputs(session, rows, now)
        for given in inputs:
            self._log_unreachable(given.integration, given.recipients)
            made = plan(await self._with_digests(given))
            if made:
                await self._store(made, now)

    async def _with_digests(self, given: PlanInput) -> PlanInput:
        due = digests_due(given)
        if not due:
            return given
        made = {each: await self._digest(given.integration, each.since, each.until) for each in due}
        return replace(given, digests=made)

    async def _read_inputs(
        self, session: AsyncSession, rows: Sequence[Integration], now: datetime
    ) -> list[PlanInput]:
        ids = [row.id for row in rows]
        known = await notices.list_relevant(session, ids, now - RECENT, CLOSABLE)
        since = min([now - RECENT, *_since_of_open(known)])
        recent_problems = await problems.open_or_closed_since(session, ids, since)
        rotated = await rotations.by_integration(session, ids)
        recipients = await recipients_of(session, rows)
        open_ = [row.id for row in rows if any(each.state == State.SENT for each in known.get(row.id, []))]
        acts = await history.latest_by_integration(session, {row.owner_tenant for row in rows}, open_, CHANGES)
        return [
            PlanInput(
                integration=row,
                notices=known.get(row.id, []),
                problems=recent_problems.get(row.id, []),
                rotations=rotated.get(row.id, []),
                recipients=recipients[row.id],
                last_act=acts.get((row.owner_tenant, row.id)),
                update=self._available(row, now),
                now=now,
            )
            for row in rows
        ]

    async def _store(self, made: Plan, now: datetime) -> None:
        async with self._database.writing() as session:
            await notices.add_new(session, made.new)
            await notices.transition_all(session, made.dropped, State.WAITING, state=State.DROPPED)
            await notices.transition_all(session, made.requeued, State.UNREACHABLE, state=State.WAITING, due_at=now)
            await notices.transition_all(session, made.requeued, State.DROPPED, state=State.WAITING)
            for resolution in made.resolved:
                await _close(session, resolution, now)

    def _log_unreachable(self, integration: Integration, recipients: Sequence[Recipient]) -> None:
        """Log once that no recipient can be reached; ``sync.monitoring.store_gauges`` counts it while it lasts."""
        if any(recipient.is_reachable for recipient in recipients):
            self._without_recipient.discard(integration.id)
        elif integration.id not in self._without_recipient:
            self._without_recipient.add(integration.id)
            log.error("no_recipient_reachable", integration=integration.id)

    async def _check_clock(self, rows: Sequence[Integration], now: datetime) -> None:
        """A wrong clock affects all integrations; each tenant gets one problem, of its oldest integration."""
        skew = self._skew()
        if skew is None:
            return
        oldest: dict[str, Integration] = {}
        for row in sorted(rows, key=lambda row: row.created_at):
            oldest.setdefault(row.owner_tenant, row)
        async with self._database.session() as session:
            known = await problems.integrations_with_open(session, CLOCK)
        is_wrong = abs(skew) > MAX_SKEW
        changed = [row.id for row in oldest.values() if (row.id in known) != is_wrong]
        if changed:
            await self._store_skew(changed, skew if is_wrong else None, now)

    async def _store_skew(self, integration_ids: Sequence[str], skew: float | None, now: datetime) -> None:
        """Open the clock's problem, or close it when ``skew`` is None."""
        if skew is None:
            log.info("clock_corrected")
        else:
            log.warning("clock_skewed", seconds=int(skew))
        async with self._database.writing() as session:
            for integration_id in integration_ids:
                if skew is None:
                    await problems.close_open(session, integration_id, [CLOCK], now)
                else:
                    facts = {"minutes": round(abs(skew) / 60)}
                    await problems.upsert_open(session, integration_id, CLOCK, CLOCK_SKEWED, facts, False, now)


def _since_of_open(known: Mapping[str, Sequence[Notice]]) -> list[datetime]:
    """When the incidents that are notified and not resolved began: each is known by its first problem."""
    sent = [each for some in known.values() for each in some if each.state == State.SENT]
    return [datetime.fromisoformat(each.facts["since"]) for each in sent if each.topic == PROBLEM]


async def recipients_of(session: AsyncSession, rows: Sequence[Integration]) -> dict[str, list[Recipient]]:
    """The recipients of each integration's notices: its tenant's administrators and channels."""
    tenants = {row.owner_tenant for row in rows}
    muted = await alerts.muted_by_integration(session, tenants, [row.id for row in rows])
    people = await conversations.administrators_by_tenant(session, tenants)
    channels = await alerts.channels_by_tenant(session, tenants)
    wishes = await alerts.digests(session, tenants)
    found: dict[str, list[Recipient]] = {}
    for row in rows:
        muted_by = muted.get((row.owner_tenant, row.id), set())
        found[row.id] = [
            *(
                Recipient(
                    one.user_object_id,
                    not one.unreachable,
                    one.user_object_id in muted_by,
                    _wish(wishes.get((row.owner_tenant, one.user_object_id))),
                )
                for one in people.get(row.owner_tenant, [])
            ),
            *(
                Recipient(CHANNEL_PREFIX + one.conversation_id, not one.unreachable)
                for one in channels.get(row.owner_tenant, [])
            ),
        ]
    return found


def _wish(row: AlertPreference | None) -> Wish | None:
    if row is None or row.digest_at is None or row.digest not in set(Cadence):
        return None
    return Wish(Cadence(row.digest), row.digest_at, row.time_zone)


async def _close(session: AsyncSession, resolution: Resolution, now: datetime) -> None:
    """Have the notice's card updated: the notifier does so for the state ``CLOSING``."""
    await notices.transition(
        session,
        resolution.notice.id,
        State.SENT,
        state=State.CLOSING,
        facts={**resolution.notice.facts, "closed": resolution.how},
        closed_by=resolution.by,
        closed_at=resolution.at,
        due_at=now,
        attempts=0,
    )
