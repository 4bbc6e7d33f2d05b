"""Deletes what is kept for a limited time only, and what is too much."""

from datetime import timedelta

from storage.queries import bounds, history, left_quotas
from storage.queries import events as event_store
from storage.queries.chat import drafts, presses
from storage.queries.health import figures
from storage.queries.people import effects, imports, line_times, sent_changes
from sync.domain.context import Context
from sync.domain.jobs import CLEANUP, EVERYTHING
from sync.domain.phone_events import CallState

KEEP_EVENTS = timedelta(hours=2)
"""Duplicates arrive within minutes; after that their own timestamp shows that they are late."""

KEEP_CALLS = timedelta(hours=24)
KEEP_DELAYS = timedelta(hours=2)
KEEP_FIGURES = timedelta(days=15)
"""Two weeks, for the digest of a week that waits for a morning."""

KEEP_DRAFTS = timedelta(days=7)
KEEP_IMPORTS = timedelta(days=1)
KEEP_LEFT_QUOTAS = timedelta(days=1)
KEEP_LINE_TIMES = timedelta(days=1)
KEEP_PRESSES = timedelta(days=400)
KEEP_SENT_CHANGES = timedelta(days=7)
KEEP_HISTORY = timedelta(days=1100)
"""Three years: an audit of a year is finished within the two after it."""


class Cleanup:
    """Deletes what is old: events, calls, counts, drafts, imports, presses, history ...; ``every`` so often."""

    def __init__(self, context: Context, every: timedelta) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._every = every

    async def run(self, _key: str) -> None:
        """The job: delete, and queue the next run."""
        now = self._clock()
        await self._jobs.defer(CLEANUP, EVERYTHING, at=now + self._every)
        async with self._database.writing() as session:
            await event_store.delete_seen(session, now - KEEP_EVENTS)
            await event_store.delete_ended_calls(session, now - KEEP_CALLS, CallState.ENDED.value)
            await effects.delete_delays(session, int((now - KEEP_DELAYS).timestamp()))
            await figures.delete_before(session, int((now - KEEP_FIGURES).timestamp()))
            await drafts.delete_older_than(session, now - KEEP_DRAFTS)
            await left_quotas.delete_older_than(session, now - KEEP_LEFT_QUOTAS)
            await line_times.delete_before(session, now.date() - KEEP_LINE_TIMES)
            await imports.delete_older_than(session, now - KEEP_IMPORTS)
            await presses.delete_older_than(session, now - KEEP_PRESSES)
            await sent_changes.delete_older_than(session, now - KEEP_SENT_CHANGES)
            await history.delete_older_than(session, now - KEEP_HISTORY)
            await bounds.delete_beyond(session)
