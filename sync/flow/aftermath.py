"""What follows a tick that is stored: jobs, problems opened and closed, the log and the metrics."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from storage.queries import integrations
from storage.queries.people import people
from sync.domain.changes import Done, Failed, Outcome, Refused
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong
from sync.domain.jobs import MATCH, POLL_NOW, PUSH, PUSH_STATUS_MESSAGE, ROTATE
from sync.flow import refusal_alert
from sync.flow.rounds import Round
from sync.flow.tick import Sent, Ticked
from sync.presence.delays import Delays
from sync.problems import health

MATCH_AGAIN = timedelta(minutes=5)
"""When a report contradicts the directory, it is read again immediately, but not twice within so long."""

log = structlog.get_logger()


class Aftermath:
    def __init__(self, context: Context, delays: Delays) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics
        self._delays = delays
        self._match_after: dict[str, datetime] = {}

    def is_needed(self, key: str, done: Ticked) -> bool:
        this, lines = done.rounds.get(key, Round()), done.lines.get(key)
        is_doubtful = lines and (lines.polls or lines.needs_match)
        is_delayed = this.wait_until or this.has_messages or this.error
        is_judged = key in done.proven or key in done.healed or key in done.refused_people
        return bool(is_doubtful or is_delayed or is_judged)

    async def follow(self, key: str, done: Ticked) -> bool:
        """Returns whether people may have become due."""
        this = done.rounds.get(key, Round())
        await self._look_again(key, done)
        if this.wait_until:
            self._metrics.quota_waits.inc()
            await self._jobs.defer(PUSH, key, at=this.wait_until)
        if this.has_messages:
            await self._jobs.defer(PUSH_STATUS_MESSAGE, key)
        if key in done.proven:
            await self._jobs.defer(ROTATE, key)
        if this.error:
            await self._mark_unhealthy(key, this.error)
        if key in done.refused_people:
            await self._check_refusals(key)
        return key in done.healed and await self._mark_healthy(key)

    async def _look_again(self, key: str, done: Ticked) -> None:
        """Queue reading the phones whose state is in doubt, and the directory when a report contradicts it."""
        row, lines = done.integrations[key], done.lines.get(key)
        if not lines or not row.enabled:
            return
        if lines.polls:
            await self._jobs.defer(POLL_NOW, key, at=min(lines.polls.values()))
        if lines.needs_match:
            await self._jobs.defer(MATCH, key, at=self._match_at(key, done.now))

    def _match_at(self, key: str, now: datetime) -> datetime:
        at = self._match_after.get(key, now)
        if now < at <= now + MATCH_AGAIN:
            return at
        self._match_after[key] = now + MATCH_AGAIN
        return now

    async def _mark_unhealthy(self, key: str, error: CredentialsWrong) -> None:
        async with self._database.writing() as session:
            if await integrations.get_for_update(session, key):
                await health.mark_unhealthy(session, key, error, self._clock())

    async def _check_refusals(self, key: str) -> None:
        async with self._database.writing() as session:
            if await integrations.get_for_update(session, key):
                await refusal_alert.check(session, key, self._clock())

    async def _mark_healthy(self, key: str) -> bool:
        """Graph answered: close the problems of Teams; returns whether one of them had stopped sending."""
        now = self._clock()
        async with self._database.writing() as session:
            if not await integrations.get_for_update(session, key):
                return False
            closed = await health.mark_healthy(session, key, health.TEAMS, now)
            if was_blocked := any(problem.lasting for problem in closed):
                await people.make_pending_due(session, key, now)
        return was_blocked

    def record(self, done: Ticked) -> None:
        for verdict, count in done.verdicts.items():
            self._metrics.events.labels(verdict=verdict).inc(count)
        for key, counts in done.polled.items():
            row = done.integrations[key]
            if row.enabled and row.subscription_id:
                self._metrics.missed.inc(sum(counts))
        self._count(done.sent)
        bound = log.bind() if done.sent else log
        for sent in done.sent:
            _log(bound, sent, done.now)

    def _count(self, changes: Sequence[Sent]) -> None:
        for (kind, result), number in Counter((each.kind, each.result) for each in changes).items():
            self._metrics.changes.labels(kind=kind, outcome=result).inc(number)
        delays = [(each.integration_id, each.latency) for each in changes if each.latency is not None]
        for _, latency in delays:
            self._metrics.latency.observe(latency)
        self._delays.observe(delays)
        for (key, figure), number in Counter((each.integration_id, each.figure) for each in changes).items():
            if figure:
                self._delays.count(key, figure, number)


def _log(bound: Any, sent: Sent, now: datetime) -> None:
    """Log the change, with the id of its cause; at level debug when it changes nothing visible."""
    pending = sent.pending
    is_visible = isinstance(sent.outcome, Done | Refused) and pending.previous.applied != pending.shown
    bound.log(
        logging.INFO if is_visible else logging.DEBUG,
        "presence_sent",
        integration=sent.integration_id,
        person=pending.person_id,
        presence=pending.shown or "none",
        outcome=sent.result,
        cause=pending.change.cause,
        seconds=(now - pending.since).total_seconds() if pending.since else None,
        **_refusal_of(sent.outcome),
    )


def _refusal_of(outcome: Outcome) -> dict[str, str | int]:
    match outcome:
        case Refused(status, code, request_id):
            return {"status": status, "code": code, "request_id": request_id}
        case Failed(error, request_id):
            return {"fault": error.fault.value, "request_id": request_id}
    return {}
