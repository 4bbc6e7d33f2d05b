"""Feature updates: new behaviour that each integration takes on when its administrator says so."""

from storage.tables.integrations import Integration
from sync.domain.features import NEWEST


def available(integration: Integration) -> int | None:
    """The version an integration could be brought to; None when it has everything."""
    return NEWEST if integration.feature_version < NEWEST else None
