"""Takes an integration away: clears what Teams shows, ends the subscription, forgets the secrets.

It goes on after a restart. If Graph will not be cleared in good time it is left to itself: sessions run out
within four hours (Graph reference, presence: setPresence).
"""

from datetime import timedelta

import structlog

from storage.queries import integrations, people
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import PUSH, REMOVE
from sync.phones.subscriptions import Subscriptions

log = structlog.get_logger()

LOOK_AGAIN = timedelta(seconds=2)


class Remover:
    """Finishes removals. ``patience`` is how long clearing may take."""

    def __init__(self, context: Context, subscriptions: Subscriptions, patience: timedelta) -> None:
        self._database = context.database
        self._subscriptions = subscriptions
        self._jobs = context.jobs
        self._clock = context.clock
        self._patience = patience

    async def remove(self, integration_id: str) -> None:
        """The job: forget the integration if nothing is shown from it any more, else see to it and come back."""
        now = self._clock()
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            left = await people.count_shown(session, integration_id)
        if integration is None or integration.removing_since is None:
            return
        if left and now < integration.removing_since + self._patience:
            await self._jobs.defer(PUSH, integration_id)
            await self._jobs.defer(REMOVE, integration_id, at=now + LOOK_AGAIN)
            return
        try:
            await self._subscriptions.end(integration)
        except SyncError as error:
            log.warning("subscription_left_behind", integration=integration_id, fault=error.fault.value)
        async with self._database.writing() as session:
            await integrations.delete_one(session, integration_id)
        log.info("integration_removed", integration=integration_id, presences_left_to_run_out=left)
