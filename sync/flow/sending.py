"""Sends a round to Graph. If all failed, wrong credentials block sending; an outage, or a limit, delays it.

That Graph is busy with one person's account is no outage; with those of several in a row, and no others, it is.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.changes import Change, Failed, Outcome, Throttled
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import TeamsApp
from sync.domain.services import MAX_CHANGES
from sync.flow.refusal_alert import MANY
from sync.flow.rounds import Returned, Round
from sync.presence.outcomes import send_batch
from sync.problems import health
from sync.teams.quota import LONGEST_BLOCK, QuotaLedger


def _error_of(outcome: Outcome) -> SyncError | None:
    """Why it was neither accepted nor refused, None if it was."""
    match outcome:
        case Failed(error):
            return error
        case Throttled(retry_after):
            return ServiceUnavailable(Fault.GRAPH_THROTTLED, retry_after)
    return None


def _is_busy(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.error.fault is Fault.GRAPH_BUSY


def _as_outage(outcome: Outcome) -> Outcome:
    """Graph is busy not with this person's account alone: it fails."""
    if not isinstance(outcome, Failed) or not _is_busy(outcome):
        return outcome
    error = outcome.error
    return replace(outcome, error=ServiceUnavailable(Fault.GRAPH_UNREACHABLE, error.retry_after, **error.context))


class Sender:
    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._clients = context.clients
        self._credentials = credentials
        self._quota = quota
        self._clock = context.clock
        self._random = context.random
        self._busy: defaultdict[str, set[str]] = defaultdict(set)
        """The people with whose accounts Graph is busy, by integration, since it last answered for anyone."""

    async def send(self, integration_id: str, this: Round) -> Returned | None:
        """What came of it; None when it is too late to send it: its reservation no longer counts."""
        if this.app is None or self._quota.is_too_late(this.selected_at, self._clock()):
            return None
        service = self._clients.presence(this.app)
        changes = [each.change for each in this.changes]
        parts = [changes[start : start + MAX_CHANGES] for start in range(0, len(changes), MAX_CHANGES)]
        batches = await asyncio.gather(*(send_batch(service, part) for part in parts))
        outcomes = [outcome for batch in batches for outcome in batch]
        if self._is_outage(integration_id, changes, outcomes):
            return await self._back_off(integration_id, this, list(map(_as_outage, outcomes)))
        now = self._clock()
        return Returned(this, outcomes, now + health.SHORTEST_BACKOFF * self._random.uniform(1, 3))

    def _is_outage(self, integration_id: str, changes: Sequence[Change], outcomes: Sequence[Outcome]) -> bool:
        """Whether all failed, for another reason than the accounts of a few people."""
        if not outcomes:
            return False
        if any(_error_of(outcome) is None for outcome in outcomes):
            self._busy.pop(integration_id, None)
            return False
        sent = zip(changes, outcomes, strict=True)
        self._busy[integration_id].update(change.user_id for change, outcome in sent if _is_busy(outcome))
        return len(self._busy[integration_id]) >= MANY or not all(map(_is_busy, outcomes))

    async def _back_off(self, integration_id: str, this: Round, outcomes: Sequence[Outcome]) -> Returned:
        """Open a problem, unless the credentials were changed while the requests were being sent."""
        now = self._clock()
        failures = [error for outcome in outcomes if (error := _error_of(outcome))]
        worst = next((error for error in failures if isinstance(error, CredentialsWrong)), failures[0])
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None or not self._is_current(integration, this.app):
                return Returned(this, outcomes, now)
            problem = await health.mark_unhealthy(session, integration_id, worst, now)
            retry_at = now + self._wait(failures, health.backoff(problem, now))
            return Returned(this, outcomes, retry_at, not problem.lasting)

    def _wait(self, failures: Sequence[SyncError], backoff: timedelta) -> timedelta:
        requested = max((error.retry_after or 0.0 for error in failures), default=0.0)
        wait = max(backoff * self._random.uniform(0.75, 1.25), timedelta(seconds=requested))
        return min(wait, LONGEST_BLOCK)

    def _is_current(self, integration: Integration, app: TeamsApp | None) -> bool:
        try:
            return self._credentials.app(integration) == app
        except CredentialsWrong:
            return False
