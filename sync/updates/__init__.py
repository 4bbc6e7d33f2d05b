"""Feature updates: new behaviour that an integration gets when its administrator installs it."""

from storage.tables.integrations import Integration
from sync.domain.features import NEWEST


def available(integration: Integration) -> int | None:
    """The newest version that can be installed; None if the integration has it."""
    return NEWEST if integration.feature_version < NEWEST else None
