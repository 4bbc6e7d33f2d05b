"""Feature updates: new behaviour that an integration gets when its administrator installs it."""

from datetime import datetime, timedelta

from storage.tables.integrations import Integration
from sync.domain.features import NEWEST

SETTLED = timedelta(days=1)
"""How long presence runs before an update is offered unasked."""


def next_version(integration: Integration) -> int | None:
    """The version that can be installed now, for they are installed one by one; None without one."""
    return integration.feature_version + 1 if integration.feature_version < NEWEST else None


def available(integration: Integration, now: datetime) -> int | None:
    """The version to offer unasked: only once presence has run for a day, and some was sent."""
    since, changed = integration.enabled_at, integration.last_change_at
    has_run = since is None or (since + SETTLED <= now and changed is not None and changed >= since)
    is_settled = integration.enabled and changed is not None and has_run
    return next_version(integration) if is_settled else None
