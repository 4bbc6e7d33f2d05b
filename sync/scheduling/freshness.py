"""How fresh an integration's states are: whether CloudLink's events really come. Pure: works on its row.

That a subscription exists proves nothing: its URL may lead nowhere. Events are relied upon once one has come, and
no longer when polls find calls that no event reported; then everybody is polled as without webhooks.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from storage.flow.rows import AnyIntegration
from storage.tables.integrations import Integration
from sync.domain.model import Freshness
from sync.domain.presence import TALKING, LineState

GRACE = timedelta(seconds=15)
"""How long after a poll found a call its event may still arrive."""

MISTRUST = timedelta(hours=1)
"""How long after a missed event polls have to find nothing new before events are relied upon again."""

MAX_UNREPORTED = 100

CALLS = TALKING | {LineState.RINGING.value}


def event_arrived(integration: AnyIntegration, person_ids: Collection[str], now: datetime) -> None:
    """CloudLink reported something about these people."""
    integration.last_webhook_at = now
    if integration.live_since is None:
        integration.live_since = now
    reported = integration.unreported.keys() & person_ids
    if reported:
        integration.unreported = {
            person: at for person, at in integration.unreported.items() if person not in reported
        }


def poll_found(
    integration: AnyIntegration, before: Mapping[str, str], after: Mapping[str, str], now: datetime
) -> None:
    """A poll changed people's line states, by person. Calls that began or ended should have been reported.

    Nothing counts that may have happened before there was a subscription, or while events could not arrive.
    """
    if integration.subscription_id and integration.catch_up_since is None:
        found = [person for person, line in after.items() if _is_call_change(before.get(person), line)]
        room = MAX_UNREPORTED - len(integration.unreported)
        new = {person: now.timestamp() for person in found if person not in integration.unreported}
        if new:
            integration.unreported = {**integration.unreported, **dict(list(new.items())[:room])}
    _count_missed(integration, now)


def _is_call_change(before: str | None, after: str) -> bool:
    known = before not in (None, LineState.UNKNOWN)
    return known and before != after and bool({before, after} & CALLS)


def _count_missed(integration: AnyIntegration, now: datetime) -> None:
    """Count the calls whose events are overdue."""
    overdue = _overdue(integration, now)
    if not overdue:
        return
    if integration.missed_at is None or integration.missed_at + MISTRUST <= now:
        integration.missed_since, integration.missed = now, 0
    integration.missed += len(overdue)
    integration.missed_at = now
    integration.unreported = {person: at for person, at in integration.unreported.items() if person not in overdue}


def _overdue(integration: AnyIntegration, now: datetime) -> set[str]:
    return {
        person for person, at in integration.unreported.items() if datetime.fromtimestamp(at, UTC) + GRACE <= now
    }


def freshness_of(integration: Integration, now: datetime, *, public: bool) -> Freshness:
    """``public``: whether CloudLink can reach us at all."""
    if not public:
        return Freshness.NO_URL
    if not integration.subscription_id:
        return Freshness.NOT_SUBSCRIBED
    if _overdue(integration, now) or _is_mistrusted(integration, now):
        return Freshness.MISSED
    return Freshness.LIVE if integration.live_since else Freshness.NO_EVENT


def _is_mistrusted(integration: Integration, now: datetime) -> bool:
    """Until enough time has passed without a miss, and an event has come since."""
    missed, heard = integration.missed_at, integration.last_webhook_at
    return missed is not None and (missed + MISTRUST > now or heard is None or heard <= missed)


def mark_subscribed(integration: Integration) -> None:
    """A subscription was made: nothing is known of it yet."""
    integration.live_since = None
    integration.unreported = {}
