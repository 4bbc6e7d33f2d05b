"""Leaves a tenant or an account behind: takes back with the old credentials what the new ones cannot reach.

All of it is bounded, and what cannot be taken back is left to run out: presence sessions end within four hours
(Graph reference, presence: setPresence), subscriptions are not heard any more.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from storage.queries import integrations, people
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence, Done
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.teams.quota import QuotaLedger

BATCH = 20
"""Requests in one ``$batch`` (Microsoft Graph, JSON batching)."""

log = structlog.get_logger()


class TenantTeardown:
    """``patience`` is how many seconds the old credentials get to finish."""

    def __init__(
        self, context: Context, credentials: CredentialStore, quota: QuotaLedger, patience: float = 10
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._quota = quota
        self._clock = context.clock
        self._patience = patience

    async def take_back(self, integration: Integration) -> None:
        """Clear everything Teams shows from us, while the integration still is as it was.

        Should we die here, everybody is looked at again a little later and shown as before.
        """
        now = self._clock()
        again = now + timedelta(seconds=6 * self._patience)
        async with self._database.writing() as session:
            locked = await integrations.get_for_update(session, integration.id)
            user_ids = await people.mark_applied_unsure(session, integration.id, again)
            if locked and user_ids:
                self._quota.reserve(locked, len(user_ids), now)
        await self.clear(integration, user_ids)

    async def clear(self, integration: Integration, user_ids: Sequence[str]) -> None:
        """Clear these Teams users' presence with the credentials that ``integration`` holds."""
        cleared = 0
        try:
            app = self._credentials.app(integration)
            service = self._clients.presence(app)
            async with asyncio.timeout(self._patience):
                for start in range(0, len(user_ids), BATCH):
                    batch = [ClearPresence(user_id) for user_id in user_ids[start : start + BATCH]]
                    outcomes = await service.push(batch)
                    cleared += sum(isinstance(outcome, Done) for outcome in outcomes)
            self._clients.forget(app)
        except (SyncError, TimeoutError) as error:
            log.warning("old_tenant_not_reached", integration=integration.id, error=type(error).__name__)
        if user_ids:
            left = len(user_ids) - cleared
            log.info("old_tenant_left", integration=integration.id, cleared=cleared, left_to_run_out=left)

    async def unsubscribe(self, integration: Integration) -> None:
        """End the subscription with the account that ``integration`` holds; it may be gone, or out of reach."""
        if not integration.subscription_id:
            return
        try:
            async with asyncio.timeout(self._patience):
                phones = self._clients.phones(self._credentials.account(integration))
                await phones.unsubscribe(integration.subscription_id)
        except (SyncError, TimeoutError) as error:
            log.warning("subscription_left_behind", integration=integration.id, error=type(error).__name__)
