"""All feature updates by version. A new update is a module in this folder and an entry here."""

from collections.abc import Mapping

from storage.database import Database
from sync.people.directory_sync import DirectorySync
from sync.presence.status_messages import StatusMessageWriter
from sync.updates.proxy_addresses import ProxyAddresses
from sync.updates.status_messages import StatusMessages
from sync.updates.update import Update

Catalogue = Mapping[int, Update]


def catalogue(database: Database, directory_sync: DirectorySync, messages: StatusMessageWriter) -> Catalogue:
    """The updates in the order in which they are installed."""
    updates: tuple[Update, ...] = (ProxyAddresses(database, directory_sync), StatusMessages(database, messages))
    return {update.version: update for update in updates}
