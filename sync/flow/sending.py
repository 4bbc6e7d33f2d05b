"""Sends a round to Graph. If all failed, wrong credentials block sending; an outage, or a limit, delays it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.changes import Failed, Outcome, Throttled
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import TeamsApp
from sync.domain.services import MAX_CHANGES
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


class Sender:
    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._clients = context.clients
        self._credentials = credentials
        self._quota = quota
        self._clock = context.clock
        self._random = context.random

    async def send(self, integration_id: str, this: Round) -> Returned | None:
        """What came of it; None when it is too late to send it: its reservation no longer counts."""
        if this.app is None or self._quota.is_too_late(this.selected_at, self._clock()):
            return None
        service = self._clients.presence(this.app)
        changes = [each.change for each in this.changes]
        parts = [changes[start : start + MAX_CHANGES] for start in range(0, len(changes), MAX_CHANGES)]
        batches = await asyncio.gather(*(send_batch(service, part) for part in parts))
        outcomes = [outcome for batch in batches for outcome in batch]
        failures = [error for outcome in outcomes if (error := _error_of(outcome))]
        if failures and len(failures) == len(outcomes):
            return await self._back_off(integration_id, this, outcomes, failures)
        now = self._clock()
        return Returned(this, outcomes, now + health.SHORTEST_BACKOFF * self._random.uniform(1, 3))

    async def _back_off(
        self, integration_id: str, this: Round, outcomes: Sequence[Outcome], failures: Sequence[SyncError]
    ) -> Returned:
        """Open a problem, unless the credentials were changed while the requests were being sent."""
        now = self._clock()
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
