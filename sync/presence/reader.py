"""Reads from Graph what Teams shows, within the quota of the application that asks.

Whose credentials are refused spends none of it: it may be another customer's by now.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from storage.queries import integrations
from storage.queries.health import problems
from sync.credentials.store import CredentialStore
from sync.domain.changes import Failed
from sync.domain.context import Context
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.model import TeamsApp
from sync.domain.presence import Shown
from sync.domain.services import MAX_READ
from sync.problems import health
from sync.teams.quota import WINDOW, QuotaLedger


class SettledReads:
    """Has each reserved read count from its answer on, also a failed one. A throttled one stops writes too."""

    def __init__(self, context: Context, quota: QuotaLedger) -> None:
        self._database = context.database
        self._clock = context.clock
        self._quota = quota

    @asynccontextmanager
    async def of(self, integration_id: str, reserved_at: datetime) -> AsyncIterator[None]:
        """The block does the read that was reserved for the integration at ``reserved_at``."""
        failed: list[Failed] = []
        try:
            yield
        except SyncError as error:
            failed.append(Failed(error))
            raise
        finally:
            now = self._clock()
            async with self._database.writing() as session:
                integration = await integrations.get_for_update(session, integration_id)
                if integration:
                    self._quota.settle(integration, 1, reserved_at, now)
                    self._quota.block_if_throttled(integration, failed, now)
                    if failed and _is_long(failed[0].error):
                        await health.mark_unhealthy(session, integration_id, failed[0].error, now)


def _is_long(error: SyncError) -> bool:
    """Whether Graph limits us for so long that what waits meanwhile is worth a word: longer than its own window."""
    return error.fault is Fault.GRAPH_THROTTLED and (error.retry_after or 0) > WINDOW


class PresenceReader:
    """Reads count against the quota as writes do: each is reserved before it is sent."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger) -> None:
        self._database = context.database
        self._clients = context.clients
        self._clock = context.clock
        self._credentials = credentials
        self._quota = quota
        self._reads = SettledReads(context, quota)

    async def read(self, integration_id: str, user_ids: Collection[str]) -> dict[str, Shown]:
        """What Teams shows of these Teams users, any number of them, by id; those Graph does not know are left out.

        Raises ``CredentialsWrong`` (GRAPH_FORBIDDEN when presence may not be read, ENTRA_*) and
        ``ServiceUnavailable`` (GRAPH_THROTTLED also when the quota has no room, GRAPH_*, ENTRA_UNREACHABLE).
        """
        ids = sorted(set(user_ids))
        found: dict[str, Shown] = {}
        for start in range(0, len(ids), MAX_READ):
            found |= await self._read(integration_id, ids[start : start + MAX_READ])
        return found

    async def _read(self, integration_id: str, user_ids: Sequence[str]) -> dict[str, Shown]:
        reserved_at = self._clock()
        app = await self._reserve(integration_id, reserved_at)
        if app is None:
            return {}
        async with self._reads.of(integration_id, reserved_at):
            return await self._clients.presence(app).read(user_ids)

    async def _reserve(self, integration_id: str, now: datetime) -> TeamsApp | None:
        """Reserve one request; None when the integration is gone."""
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            integration = sharing.get(integration_id)
            if integration is None:
                return None
            opened = await problems.list_open(session, integration_id)
            if refused := health.blocking_problem(opened, health.TEAMS):
                raise health.error_of(refused)
            wait_until, _ = self._quota.allowance(sharing.values(), now)
            if wait_until:
                raise ServiceUnavailable(Fault.GRAPH_THROTTLED, (wait_until - now).total_seconds())
            app = self._credentials.app(integration)
            self._quota.reserve(integration, 1, now)
            return app
