"""Opens and closes integrations at the edges of their schedules.

What was acted on last is stored with the integration, in the transaction that makes those concerned due: a crash
at an edge loses nothing, and an edge that was missed is acted on later. Nothing else looks at the schedule.
"""

from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import integrations
from storage.queries.people import hours, status_messages
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE
from sync.domain.schedule import is_open, next_change, of_stored

SET_BACK = timedelta(minutes=5)
"""A clock that is set back by less does not undo what was acted on."""

log = structlog.get_logger()


class HoursJob:
    """Acts on the edges that are due."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock

    async def run(self, integration_id: str) -> None:
        """The job: open or close, and have those concerned sent. The schedule polls everybody after an opening."""
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None or not await turn_if_needed(session, integration, self._clock()):
                return
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id)


def needs_turn(integration: Integration, now: datetime) -> bool:
    """Whether its schedule may say something else now than when it was acted on last."""
    turned_at, turns_at = integration.turned_at, integration.turns_at
    if not integration.schedule or integration.removing_since:
        return False
    return turned_at is None or now < turned_at - SET_BACK or (turns_at is not None and turns_at <= now)


async def turn_if_needed(session: AsyncSession, integration: Integration, now: datetime) -> bool:
    return needs_turn(integration, now) and await turn(session, integration, now)


async def turn(session: AsyncSession, integration: Integration, now: datetime) -> bool:
    """Act on what the schedule says now; returns whether that opened or closed the integration, which is locked."""
    schedule = of_stored(integration.schedule)
    closed = schedule is not None and not is_open(schedule, now)
    integration.turned_at, integration.turns_at = now, next_change(schedule, now) if schedule else None
    if integration.closed == closed:
        return False
    integration.closed = closed
    if closed:
        await hours.clear_shown(session, integration.id, current_cause(), now)
    else:
        integration.catch_up_since = now
        await hours.show_again(session, integration.id, current_cause(), now)
    await status_messages.make_due(session, integration.id, now)
    log.info("hours_ended" if closed else "hours_began", integration=integration.id)
    return True
