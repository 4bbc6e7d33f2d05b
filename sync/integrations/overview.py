"""Reads an integration for an administrator: its status, and a preview of what enabling it would do."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.queries import events as event_store
from storage.queries import integrations, monitors
from storage.queries.health import problems
from storage.queries.people import directory, people
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.domain.context import Context
from sync.domain.model import Freshness, Preview, Proof, Service, Status, Unmatched
from sync.domain.presence import TALKING
from sync.integrations.views import SHOWING, integration_view, preview_of, shown_since
from sync.people.directory_sync import DirectorySync
from sync.phones.poller import CHUNK, Poller, pause_between_chunks
from sync.presence import proof
from sync.presence.delays import delay_of
from sync.presence.hours import counted
from sync.problems import health
from sync.problems.incidents import EVENTS, GROUPS, LISTS
from sync.scheduling.freshness import freshness_of
from sync.tenancy import owned
from sync.updates import available

MAX_PREVIEWED = 250
"""Phones polled for a preview; with more people the rest are polled once the integration is enabled."""

DAY, PARTS, PART_HOURS = timedelta(hours=24), 8, 3
"""The last day in so many parts of so many hours."""

WEBHOOK_AGE = 1
"""Seconds within which a change reported by a webhook is known here."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How changes reach us: whether CloudLink can call our webhook, and the interval at which phones are polled."""

    has_public_url: bool
    poll_every: timedelta


class Overview:
    """Both methods raise ``UnknownIntegration``. ``store_fault`` is why nothing can be stored, or else empty."""

    def __init__(
        self,
        context: Context,
        directory_sync: DirectorySync,
        poller: Poller,
        reach: Reach,
        store_fault: Callable[[], Awaitable[str]],
    ) -> None:
        self._database = context.database
        self._clock = context.clock
        self._directory_sync = directory_sync
        self._poller = poller
        self._reach = reach
        self._store_fault = store_fault

    async def preview(self, owner_tenant: str, integration_id: str) -> Preview:
        """Read both directories and the phones, match people, and say what enabling would do.

        Stores the matches and the line states, so that enabling is quick. Raises ``SyncError``.
        """
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
        await self._directory_sync.refresh(integration)
        await self._poller.refresh(integration, at_most=MAX_PREVIEWED)
        return preview_of([row async for rows in directory.present(self._database, integration_id) for row in rows])

    async def status(self, owner_tenant: str, integration_id: str, *, rehearsed: Problem | None = None) -> Status:
        """The integration's state as stored; no service is called. As if ``rehearsed`` was its only problem."""
        now, store_fault = self._clock(), "" if rehearsed else await self._store_fault()
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            opened = [rehearsed] if rehearsed else await problems.list_open(session, integration_id)
            counts = await people.counts(session, integration_id, TALKING)
            unknown = await event_store.list_unknown_states(session, integration_id)
            monitors_open = await monitors.count_open_tasks(session, integration_id)
            proven = await proof.proof_of(session, integration_id)
            healed_at = await problems.last_healed(session, integration_id, SHOWING)
            delay = await delay_of(session, integration_id, now)
            day = await counted(session, integration_id, now - DAY, now)
            freshness = freshness_of(integration, now, public=self._reach.has_public_url)
            if rehearsed and rehearsed.service == EVENTS:
                freshness = Freshness.MISSED
            worst_age = WEBHOOK_AGE
            if freshness is not Freshness.LIVE:
                enabled = await integrations.count_enabled(session, owner_tenant)
                worst_age = self._poll_seconds(counts.matched, enabled)
        return Status(
            integration=integration_view(integration),
            service_health=health.service_health(opened),
            people=counts.people,
            matched=counts.matched,
            in_a_call=counts.in_a_call,
            waiting=counts.waiting,
            last_change_at=integration.last_change_at,
            freshness=freshness,
            worst_age=worst_age,
            unknown_states=tuple(unknown),
            monitors_open=monitors_open,
            not_shown=_by_reason(counts.left_out),
            update=available(integration, self._clock()),
            proof=proven,
            delay=delay,
            shown_since=shown_since(integration, opened, healed_at),
            shown_now=counts.shown,
            missing=counts.missing,
            lists_shrunk=tuple(row.facts for row in opened if row.service == LISTS),
            lists_unread=tuple(row.facts for row in health.unread_lists(opened)),
            groups_unread=tuple(row.facts for row in opened if row.service == GROUPS),
            day=tuple(day.parts(now, PARTS, PART_HOURS)),
            answered=_answered(integration, proven),
            store_fault=store_fault,
        )

    def _poll_seconds(self, phones: int, enabled: int) -> int:
        """Seconds between two polls of a phone: the interval, or how long a round over all phones takes."""
        pause = pause_between_chunks(enabled).total_seconds()
        return int(max(self._reach.poll_every.total_seconds(), phones / CHUNK * pause))


def _answered(integration: Integration, proven: Proof) -> dict[Service, datetime]:
    """When CloudLink and Graph last answered."""
    cloudlink = (integration.polled_at, integration.subscription_checked_at, integration.last_webhook_at)
    graph = (proven.read_at, integration.last_change_at, integration.matched_at)
    by_service = {Service.CLOUDLINK: cloudlink, Service.GRAPH: graph}
    return {service: max(at for at in times if at) for service, times in by_service.items() if any(times)}


def _by_reason(left_out: Mapping[str, int]) -> tuple[tuple[Unmatched, int], ...]:
    """The most frequent reason first; people who were not matched yet have none."""
    known = [(Unmatched(reason), count) for reason, count in left_out.items() if reason]
    return tuple(sorted(known, key=lambda pair: (-pair[1], pair[0])))
