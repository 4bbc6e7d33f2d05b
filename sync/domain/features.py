"""What depends on an integration's feature version: the set of behaviours its administrator accepted.

The first version is 1; a version includes all lower ones. A module of ``sync.updates`` describes and installs each.
"""

from typing import Final

from storage.flow.rows import AnyIntegration
from storage.tables.integrations import Integration

PROXY_ADDRESSES: Final = 2
STATUS_MESSAGES: Final = 3
NEWEST: Final = STATUS_MESSAGES

INITIAL: Final = PROXY_ADDRESSES
"""The version of new integrations. A status message is not set before an administrator chose its text."""


def matches_proxies(integration: Integration) -> bool:
    """People are also found by the other mail addresses of Teams users."""
    return integration.feature_version >= PROXY_ADDRESSES


def shows_messages(integration: AnyIntegration) -> bool:
    """A status message is shown beside the presence while a person is on the phone."""
    if integration.feature_version < STATUS_MESSAGES:
        return False
    return bool(integration.status_text) or any(integration.status_texts.values())
