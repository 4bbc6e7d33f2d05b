"""Finishes the removal of an integration: clears presence, ends the subscription, deletes the row and its secrets.

The removal continues after a restart. Presence that cannot be cleared in time is left to expire: sessions end
within four hours (Graph reference, presence: setPresence).
"""

from datetime import datetime, timedelta

import structlog

from storage.queries import integrations
from storage.queries.people import people
from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import PUSH, REMOVE, SHOW_REMOVED
from sync.domain.model import BOT
from sync.integrations.left_quota import leave_quota
from sync.phones.subscriptions import Subscriptions
from sync.presence.plan import SESSION_SECONDS

log = structlog.get_logger()

CHECK_INTERVAL = timedelta(seconds=2)

LONG = timedelta(seconds=8)
"""The chat shows the end of a shorter removal itself."""

BREAK, AGAIN = timedelta(minutes=1), timedelta(minutes=2)
"""After a break of this length, in which the process was away, clearing may take so long, whatever the timeout."""


class Remover:
    """``timeout`` is how long clearing presence may take."""

    def __init__(self, context: Context, subscriptions: Subscriptions, timeout: timedelta) -> None:
        self._database = context.database
        self._subscriptions = subscriptions
        self._jobs = context.jobs
        self._clock = context.clock
        self._timeout = timeout
        self._audit = AuditLog(context.database, context.clock)
        self._tries: dict[str, tuple[datetime, datetime]] = {}

    async def remove(self, integration_id: str) -> None:
        """The job: delete the integration once none of its presence is shown, or the timeout has passed."""
        now = self._clock()
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            left = await people.count_shown(session, integration_id)
        if integration is None or integration.removing_since is None:
            return
        if left and now < self._deadline(integration, now):
            await self._jobs.defer(PUSH, integration_id)
            await self._jobs.defer(REMOVE, integration_id, at=now + CHECK_INTERVAL)
            return
        try:
            await self._subscriptions.end(integration)
        except SyncError as error:
            log.warning("subscription_not_ended", integration=integration_id, fault=error.fault.value)
        if now >= integration.removing_since + LONG:
            await self._jobs.defer(SHOW_REMOVED, integration_id, at=now)
        async with self._database.writing() as session:
            await leave_quota(session, integration_id, now)
            await self._audit.record(session, Act.REMOVED, BOT, integration, {"left": left} if left else {})
            await integrations.delete_one(session, integration_id)
        self._tries.pop(integration_id, None)
        log.info("integration_removed", integration=integration_id, presences_left_to_expire=left)

    def _deadline(self, integration: Integration, now: datetime) -> datetime:
        """When to give up; not before this process has tried for a while, unless no session can be left then."""
        began = integration.removing_since or now
        since, last = self._tries.get(integration.id, (now, now))
        if abs(now - last) > BREAK:
            since = now
        self._tries[integration.id] = since, now
        expired = began + timedelta(seconds=SESSION_SECONDS)
        return max(began + self._timeout, min(since + min(AGAIN, self._timeout), expired))
