"""Finds in the database the jobs that are due for every integration: any process may do so at any time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.queries import clock, integrations, rotations, updates
from storage.queries.health import problems
from storage.queries.people import effects, endpoints, people
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.credentials.rotation_store import needs_automatic_rotation
from sync.domain.context import Context
from sync.domain.jobs import (
    APPLY_SCOPE,
    CLEANUP,
    EVERYTHING,
    EXPIRY,
    HOURS,
    INSTALL,
    MATCH,
    POLL,
    POLL_CHUNK,
    POLL_NOW,
    POLL_SAMPLE,
    PROBE,
    PUSH,
    PUSH_STATUS_MESSAGE,
    READ_BACK,
    REMOVE,
    ROTATE,
    SCHEDULE,
    SHOW_UPDATE,
    SUBSCRIBE,
    WARN,
    JobName,
)
from sync.domain.model import Freshness, Service
from sync.domain.services import READABLE_AFTER
from sync.problems import health
from sync.scheduling import hours
from sync.scheduling.freshness import freshness_of
from sync.scheduling.load_smoothing import smooth
from sync.scheduling.read_back import due_read_backs

SHOW_UPDATES = timedelta(days=1)
"""How long updating the cards of an ended installation is retried."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """In seconds. ``poll`` applies where no webhook reaches us, ``poll_with_webhooks`` where they do."""

    schedule: float = 5
    poll: float = 30
    poll_with_webhooks: float = 300
    match: float = 900
    check_subscription: float = 300
    renew_subscription: float = 12 * 3600
    recheck_credentials: float = 180
    cleanup: float = 3600
    warn: float = 10
    read_back: float = 60
    read_back_refused: float = 3600
    removal_timeout: float = 600
    update_timeout: float = 120
    rotation_lease: float = 60
    read_expiry: float = 24 * 3600
    tick: float = 1


class Scheduler:
    """Queues the jobs that are due, for every integration.

    Those in ``paced`` are spread over time; ``public`` says whether webhooks can reach us.
    """

    def __init__(self, context: Context, intervals: Intervals, paced: Collection[str], public: bool) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._random = context.random
        self._every = intervals
        self._paced = paced
        self._public = public
        self._before: datetime | None = None

    async def start(self, *, works: bool = True) -> None:
        """When the process has started to listen: everybody is polled, for events may have been lost before.

        A missed edge of a schedule is acted on, then phones are polled, so that no outdated state is sent; if
        CloudLink does not respond, the schedule sends it anyway. With many integrations, most are polled later. If
        this process does not work, others poll.
        """
        now = self._before = self._clock()
        async with self._database.writing() as session:
            await integrations.mark_gap(session, now)
            await clock.set_back(session, now)
            rows = await integrations.list_all(session)
            for row in rows:
                await hours.turn_if_needed(session, row, now)
        if not works:
            return
        names = [(job, row.id) for row in rows for job in ((POLL, SUBSCRIBE) if row.enabled else (PUSH,))]
        await self._jobs.defer_all(self._smooth(names, rows, now))
        await self._jobs.defer(SCHEDULE, EVERYTHING, at=now + timedelta(seconds=self._every.schedule))
        await self._jobs.defer(CLEANUP, EVERYTHING)
        await self._jobs.defer(WARN, EVERYTHING)

    async def schedule(self, _key: str) -> None:
        """The job: queue what is due now, and the next run."""
        now = self._clock()
        await self._jobs.defer(SCHEDULE, EVERYTHING, at=now + timedelta(seconds=self._every.schedule))
        await self._follow_clock(now)
        async with self._database.session() as session:
            due: list[JobName] = []
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
            last_reads = await effects.last_reads(session, now - READABLE_AFTER)
            in_doubt = await endpoints.integrations_to_poll_now(session, now)
        polled, matched = await self._jobs.queued(POLL_CHUNK), await self._jobs.queued(MATCH)
        read_now = await self._jobs.queued(POLL_NOW) if in_doubt else set()
        planned = {POLL: polled, POLL_SAMPLE: polled, MATCH: matched, POLL_NOW: read_now}
        for row in rows:
            jobs = self.due(row, opened.get(row.id, []), next_push.get(row.id), now, is_in_doubt=row.id in in_doubt)
            due += [(job, row.id) for job in jobs if row.id not in planned.get(job, ())]
        due += [
            (READ_BACK, key)
            for key in due_read_backs(last_reads, opened, self._every.read_back, self._every.read_back_refused, now)
        ]
        await self._jobs.defer_all(self._smooth(due, rows, now))

    async def _follow_clock(self, now: datetime) -> None:
        """After the clock was set back, what it had planned must not wait until it has caught up."""
        if self._before and now < self._before:
            async with self._database.writing() as session:
                await clock.set_back(session, now)
        self._before = now

    def _smooth(self, due: Sequence[JobName], rows: Sequence[Integration], now: datetime) -> list[JobName]:
        rates = dict.fromkeys(self._paced, 0.0)
        for row in rows:
            for job, seconds in self._intervals(row, now).items():
                if job in rates:
                    rates[job] += self._every.schedule / seconds
        return smooth(due, rates, self._random)

    def _intervals(self, integration: Integration, now: datetime) -> dict[str, float]:
        """Seconds between two runs of the integration's jobs that call a service."""
        intervals = {EXPIRY: self._every.read_expiry}
        if integration.enabled:
            intervals |= {
                POLL: self._poll_interval(integration, now),
                POLL_SAMPLE: self._every.poll_with_webhooks,
                SUBSCRIBE: self._every.check_subscription,
                MATCH: self._every.match,
                READ_BACK: self._every.read_back,
            }
        return intervals

    def due(
        self,
        integration: Integration,
        opened: Sequence[Problem],
        next_push: datetime | None,
        now: datetime,
        *,
        is_in_doubt: bool = False,
    ) -> list[str]:
        """The jobs that this integration needs now; ``is_in_doubt``: a phone is to be read out of turn."""
        jobs = []
        if hours.needs_turn(integration, now):
            jobs.append(HOURS)
        if next_push and next_push <= now:
            jobs.append(PUSH)
        if any(self._needs_probe(problem, now) for problem in opened):
            jobs.append(PROBE)
        if integration.removing_since:
            return [*jobs, REMOVE]
        if integration.scope_pending:
            jobs.append(APPLY_SCOPE)
        is_blocked = health.blocking_problem(opened, health.TEAMS) is not None
        if not is_blocked and self._is_past(integration.expiry_checked_at, self._every.read_expiry, now):
            jobs.append(EXPIRY)
        if needs_automatic_rotation(integration, now):
            jobs.append(ROTATE)
        if not self._may_call(opened, [Service.CLOUDLINK], now):
            return jobs
        jobs += self._due_for_cloudlink(integration, now, is_in_doubt=is_in_doubt)
        is_match_due = self._is_past(integration.matched_at, self._every.match, now)
        if integration.enabled and is_match_due and self._may_call(opened, list(Service), now):
            jobs.append(MATCH)
        return jobs

    def _needs_probe(self, problem: Problem, now: datetime) -> bool:
        """A suspected refusal is confirmed or disproved within seconds; a lasting one is named more exactly.

        A service that nothing else has asked since would remain unhealthy after it has recovered.
        """
        if problem.service not in set(Service):
            return False
        is_new = problem.lasting and problem.checked_at == problem.since
        if health.is_suspected(problem):
            confirm_at = problem.since + health.CONFIRM_AFTER
            is_new = problem.checked_at < confirm_at <= now
        return is_new or self._is_past(problem.checked_at, self._recheck, now)

    def _due_for_cloudlink(self, integration: Integration, now: datetime, *, is_in_doubt: bool) -> list[str]:
        if not integration.enabled:
            return [SUBSCRIBE] if integration.subscription_id else []
        jobs = [POLL_NOW] if is_in_doubt else []
        is_due = self._is_past(integration.polled_at, self._poll_interval(integration, now), now)
        if is_due or integration.catch_up_since:
            jobs.append(POLL_SAMPLE if self._is_up_to_date(integration, now) else POLL)
        if self._public and self._is_past(integration.subscription_checked_at, self._every.check_subscription, now):
            jobs.append(SUBSCRIBE)
        return jobs

    def _poll_interval(self, integration: Integration, now: datetime) -> float:
        return self._every.poll_with_webhooks if self._is_live(integration, now) else self._every.poll

    def _is_live(self, integration: Integration, now: datetime) -> bool:
        return freshness_of(integration, now, public=self._public) is Freshness.LIVE

    def _is_up_to_date(self, integration: Integration, now: datetime) -> bool:
        """Events arrive, and nobody may have missed one: so a sample suffices."""
        long = 3 * self._every.poll_with_webhooks
        is_caught_up = integration.catch_up_since is None and not self._is_past(integration.polled_at, long, now)
        return is_caught_up and self._is_live(integration, now)

    def _may_call(self, opened: Sequence[Problem], services: Collection[Service], now: datetime) -> bool:
        """Whether the backoff of these services' open problems is over."""
        return all(
            self._is_past(problem.checked_at, self._wait(problem, now), now)
            for problem in opened
            if problem.service in services
        )

    def _wait(self, problem: Problem, now: datetime) -> float:
        return self._recheck if problem.lasting else health.backoff(problem, now).total_seconds()

    @property
    def _recheck(self) -> float:
        return self._every.recheck_credentials

    def _is_past(self, since: datetime | None, seconds: float, now: datetime) -> bool:
        """Also true when ``since`` is so far in the future that the clock must have been set back."""
        return since is None or abs(now - since) >= timedelta(seconds=seconds)
