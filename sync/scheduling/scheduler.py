"""What is due when: read from the store at every sweep, so it does not matter who ran before, or whether."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.queries import drafts, integrations, people, presses, problems, rotations, updates
from storage.queries import events as event_store
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.credentials.rotation_store import needs_automatic_rotation
from sync.domain.context import Context
from sync.domain.jobs import (
    CLEANUP,
    EVERYTHING,
    EXPIRY,
    INSTALL,
    MATCH,
    POLL,
    POLL_SAMPLE,
    PROBE,
    PUSH,
    PUSH_STATUS_MESSAGE,
    REMOVE,
    ROTATE,
    SCHEDULE,
    SHOW_UPDATE,
    SUBSCRIBE,
    WARN,
)
from sync.domain.model import Service
from sync.domain.phone_events import CallState
from sync.problems import health
from sync.scheduling.load_smoothing import Name, paced

KEEP_EVENTS = timedelta(hours=2)
"""Doubles come within minutes; and later ones, by their own time, are late anyway."""

KEEP_CALLS = timedelta(hours=24)
KEEP_DRAFTS = timedelta(days=7)
KEEP_PRESSES = timedelta(days=400)
SHOW_UPDATES = timedelta(days=1)
"""How long it is tried to tell cards how an installation ended."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often, in seconds. ``poll`` is where no webhook reaches us, ``poll_with_webhooks`` where one does."""

    schedule: float = 5
    poll: float = 30
    poll_with_webhooks: float = 300
    match: float = 900
    check_subscription: float = 300
    renew_subscription: float = 12 * 3600
    recheck_credentials: float = 180
    cleanup: float = 3600
    warn: float = 10
    removal_patience: float = 600
    update_patience: float = 120
    rotation_lease: float = 60
    read_expiry: float = 24 * 3600
    tick: float = 1


class Scheduler:
    """Defers what is due, for every integration."""

    def __init__(self, context: Context, intervals: Intervals, public: bool) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._random = context.random
        self._every = intervals
        self._public = public

    async def start(self) -> None:
        """After a start: see what became of phones meanwhile, tell Teams, then sweep for ever.

        Phones are asked first, lest an old state be sent; the sweep sends it after all if nobody answers.
        Where there are many, most wait for their turn.
        """
        async with self._database.session() as session:
            rows = await integrations.list_all(session)
        names = [(job, row.id) for row in rows for job in ((POLL, SUBSCRIBE) if row.enabled else (PUSH,))]
        await self._jobs.defer_all(self._paced(names, rows))
        await self._jobs.defer(SCHEDULE, EVERYTHING, at=self._clock() + timedelta(seconds=self._every.schedule))
        await self._jobs.defer(CLEANUP, EVERYTHING)
        await self._jobs.defer(WARN, EVERYTHING)

    async def schedule(self, _key: str) -> None:
        """The job: defer what is due now, and the next sweep."""
        now = self._clock()
        await self._jobs.defer(SCHEDULE, EVERYTHING, at=now + timedelta(seconds=self._every.schedule))
        async with self._database.session() as session:
            due: list[Name] = []
            due += [(ROTATE, key) for key in await rotations.integrations_with_due(session, now)]
            due += [
                (PUSH_STATUS_MESSAGE, key)
                for key in await people.integrations_with_status_message_due(session, now)
            ]
            due += [
                (INSTALL if row.state in updates.OPEN else SHOW_UPDATE, row.integration_id)
                for row in await updates.list_unfinished(session, now - SHOW_UPDATES)
            ]
            rows = await integrations.list_all(session)
            opened = await problems.open_by_integration(session)
            next_push = await people.next_due_by_integration(session, now)
        for row in rows:
            due += [(job, row.id) for job in self.due(row, opened.get(row.id, []), next_push.get(row.id), now)]
        await self._jobs.defer_all(self._paced(due, rows))

    def _paced(self, due: Sequence[Name], rows: Sequence[Integration]) -> list[Name]:
        enabled = [row for row in rows if row.enabled]
        intervals = {
            POLL: [self._poll_every(row) for row in enabled],
            POLL_SAMPLE: [self._every.poll_with_webhooks] * len(enabled),
            SUBSCRIBE: [self._every.check_subscription] * len(enabled),
            MATCH: [self._every.match] * len(enabled),
            EXPIRY: [self._every.read_expiry] * len(rows),
        }
        flow = {job: sum(self._every.schedule / each for each in of_job) for job, of_job in intervals.items()}
        return paced(due, flow, self._random)

    def due(
        self, integration: Integration, opened: Sequence[Problem], next_push: datetime | None, now: datetime
    ) -> list[str]:
        """The jobs this integration needs now."""
        jobs = []
        if next_push and next_push <= now:
            jobs.append(PUSH)
        if integration.removing_since:
            return [*jobs, REMOVE]
        problem = health.lasting(opened, health.TEAMS)
        if problem and (
            problem.checked_at == problem.since or self._is_past(problem.checked_at, self._recheck, now)
        ):
            jobs.append(PROBE)
        elif problem is None and self._is_past(integration.expiry_checked_at, self._every.read_expiry, now):
            jobs.append(EXPIRY)
        if needs_automatic_rotation(integration, now):
            jobs.append(ROTATE)
        if not self._may_ask(opened, [Service.CLOUDLINK], now):
            return jobs
        jobs += self._due_of_cloudlink(integration, now)
        is_match_due = self._is_past(integration.matched_at, self._every.match, now)
        if integration.enabled and is_match_due and self._may_ask(opened, list(Service), now):
            jobs.append(MATCH)
        return jobs

    def _due_of_cloudlink(self, integration: Integration, now: datetime) -> list[str]:
        if not integration.enabled:
            return [SUBSCRIBE] if integration.subscription_id else []
        jobs = []
        if self._is_past(integration.polled_at, self._poll_every(integration), now):
            jobs.append(POLL_SAMPLE if self._is_well_informed(integration, now) else POLL)
        if self._public and self._is_past(integration.subscription_checked_at, self._every.check_subscription, now):
            jobs.append(SUBSCRIBE)
        return jobs

    def _poll_every(self, integration: Integration) -> float:
        return self._every.poll_with_webhooks if self._is_live(integration) else self._every.poll

    def _is_live(self, integration: Integration) -> bool:
        return self._public and bool(integration.subscription_id)

    def _is_well_informed(self, integration: Integration, now: datetime) -> bool:
        """Webhooks come, and nothing kept them or us from it for long."""
        long = 3 * self._every.poll_with_webhooks
        return self._is_live(integration) and not self._is_past(integration.polled_at, long, now)

    def _may_ask(self, opened: Sequence[Problem], services: Collection[Service], now: datetime) -> bool:
        """Whether services that had trouble have been left alone for long enough."""
        return all(
            problem.checked_at
            + (timedelta(seconds=self._recheck) if problem.lasting else health.backoff(problem, now))
            <= now
            for problem in opened
            if problem.service in services
        )

    @property
    def _recheck(self) -> float:
        return self._every.recheck_credentials

    def _is_past(self, since: datetime | None, seconds: float, now: datetime) -> bool:
        """Or so far ahead that the clock must have been set back since."""
        return since is None or abs(now - since) >= timedelta(seconds=seconds)

    async def cleanup(self, _key: str) -> None:
        """The job: forget what is kept for a while only, and defer the next."""
        now = self._clock()
        await self._jobs.defer(CLEANUP, EVERYTHING, at=now + timedelta(seconds=self._every.cleanup))
        async with self._database.writing() as session:
            await event_store.delete_seen(session, now - KEEP_EVENTS)
            await event_store.delete_ended_calls(session, now - KEEP_CALLS, CallState.ENDED.value)
            await drafts.delete_older_than(session, now - KEEP_DRAFTS)
            await presses.delete_older_than(session, now - KEEP_PRESSES)
