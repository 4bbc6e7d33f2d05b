"""Feature updates: new behaviour that an integration gets when its administrator installs it."""

from datetime import datetime, timedelta

from storage.tables.integrations import Integration
from sync.domain.features import NEWEST

SETTLED = timedelta(days=1)
"""How long an integration exists before an update is offered unasked."""


def next_version(integration: Integration) -> int | None:
    """The version that can be installed now, for they are installed one by one; None without one."""
    return integration.feature_version + 1 if integration.feature_version < NEWEST else None


def available(integration: Integration, now: datetime) -> int | None:
    """The version to offer unasked: only once presence has been sent, and the integration is a day old."""
    is_settled = integration.enabled and integration.last_change_at is not None
    return next_version(integration) if is_settled and integration.created_at + SETTLED <= now else None
