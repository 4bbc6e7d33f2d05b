"""What an integration does differently by its feature version: the set of behaviours its administrator accepted.

A version stands for all below it, too. Each is described, and installed, by a module of ``sync.updates``.
"""

from typing import Final

from storage.tables.integrations import Integration

FIRST: Final = 1
PROXY_ADDRESSES: Final = 2
STATUS_MESSAGES: Final = 3
NEWEST: Final = STATUS_MESSAGES


def matches_proxies(integration: Integration) -> bool:
    """People are also found by the other mail addresses of Teams users."""
    return integration.feature_version >= PROXY_ADDRESSES


def shows_messages(integration: Integration) -> bool:
    """A status message stands beside the presence while somebody is on the phone."""
    return integration.feature_version >= STATUS_MESSAGES and bool(integration.status_text)
