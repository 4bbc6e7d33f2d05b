"""Cleans up in a tenant or an account that an integration leaves, with the old credentials.

Bounded in time. What cannot be cleared expires by itself: presence sessions within four hours (Graph reference,
presence: setPresence); events of an old subscription are not accepted any more.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from storage.flow import queries
from storage.flow.rows import PEOPLE, Tracked
from storage.queries import integrations
from storage.queries.people import people
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.transaction import Transaction
from sync.credentials.store import CredentialStore
from sync.domain.changes import Change, ClearPresence, Done, Outcome, SetPresence
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.services import MAX_CHANGES
from sync.integrations.left_quota import spenders_of
from sync.presence.plan import SESSION_SECONDS
from sync.presence.shared_sessions import LeftSession, give_all, wishes_of_others
from sync.teams.quota import QuotaLedger

log = structlog.get_logger()


class TenantTeardown:
    """``timeout`` is in seconds, for all requests with the old credentials."""

    def __init__(
        self, context: Context, credentials: CredentialStore, quota: QuotaLedger, timeout: float = 10
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._quota = quota
        self._clock = context.clock
        self._timeout = timeout

    async def clear_all(self, integration: Integration) -> None:
        """Clear every presence that we set, as far as the quota has room, before the integration is changed.

        If the process ends in between, the next push sets them again a little later.
        """
        again = self._clock() + timedelta(seconds=6 * self._timeout)
        async with self._database.writing() as session:
            await integrations.get_for_update(session, integration.id)
            user_ids = await people.mark_applied_unsure(session, integration.id, again)
        await self.clear(integration, user_ids)

    async def clear(self, integration: Integration, user_ids: Sequence[str]) -> None:
        """Clear the presence of these users with the credentials that ``integration`` holds, within the quota."""
        if not user_ids:
            return
        outcomes: list[Outcome] = []
        began = self._clock()
        try:
            app = self._credentials.app(integration)
            service = self._clients.presence(app)
            changes = await self._changes(integration, await self._reserve(integration, user_ids, began))
            async with asyncio.timeout(self._timeout):
                for start in range(0, len(changes), MAX_CHANGES):
                    outcomes += await service.push(changes[start : start + MAX_CHANGES])
            self._clients.forget(app)
        except (SyncError, TimeoutError) as error:
            log.warning("old_tenant_unreachable", integration=integration.id, error=type(error).__name__)
        if outcomes:
            await self._settle(integration, outcomes, began)
        cleared = sum(isinstance(outcome, Done) for outcome in outcomes)
        left = len(user_ids) - cleared
        log.info("old_tenant_cleared", integration=integration.id, cleared=cleared, left_to_expire=left)

    async def _reserve(self, integration: Integration, user_ids: Sequence[str], now: datetime) -> Sequence[str]:
        """As many of these users as the quota of its application has room for: they are counted."""
        async with self._database.writing() as session:
            spenders = await spenders_of(session, integration, now)
            room = self._quota.allowance(spenders, now)[1]
            self._quota.reserve(spenders[0], len(user_ids[:room]), now)
        return user_ids[:room]

    async def _settle(self, integration: Integration, outcomes: Sequence[Outcome], reserved_at: datetime) -> None:
        """Count what was answered from now on; what was not counts as in flight."""
        now = self._clock()
        async with self._database.writing() as session:
            spender = (await spenders_of(session, integration, now))[0]
            self._quota.settle(spender, len(outcomes), reserved_at, now)
            self._quota.block_if_throttled(spender, outcomes, now)

    async def _changes(self, integration: Integration, user_ids: Sequence[str]) -> list[Change]:
        """What to send for each user: what another integration with the same application wishes, else nothing.

        The others answer for what they wish from now on.
        """
        now = self._clock()
        async with self._database.session() as session:
            sharing = await integrations.list_sharing(session, integration)
            wishes = await wishes_of_others(session, sharing, user_ids, now)
        left = LeftSession(UNSURE, now + timedelta(seconds=SESSION_SECONDS))

        def give(transaction: Transaction) -> None:
            people = Tracked(PEOPLE)
            found = people.add(queries.of_teams_users(transaction, [each.id for each in sharing], wishes))
            give_all(found, dict.fromkeys(wishes, left), now)
            people.save(transaction)

        await self._database.transact(give)
        return [
            SetPresence(user_id, wishes[user_id], SESSION_SECONDS) if user_id in wishes else ClearPresence(user_id)
            for user_id in user_ids
        ]

    async def unsubscribe(self, integration: Integration) -> None:
        """End the subscription of the account that ``integration`` holds, if it can be reached."""
        if not integration.subscription_id:
            return
        try:
            async with asyncio.timeout(self._timeout):
                phones = self._clients.phones(self._credentials.account(integration))
                await phones.unsubscribe(integration.subscription_id)
        except (SyncError, TimeoutError) as error:
            log.warning("subscription_not_ended", integration=integration.id, error=type(error).__name__)
