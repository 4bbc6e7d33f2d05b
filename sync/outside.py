"""The services sync talks to, as it needs them; ``sync.connections`` provides the real ones."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sync.line_events import CloudLinkUser, LineSnapshot
from sync.matching import Account
from sync.model import CloudLinkAccount, TeamsApp
from sync.teams.changes import Change, Outcome


class Phones(Protocol):
    """A CloudLink account. Every call raises ``SyncError``."""

    async def account_name(self) -> str: ...

    async def users(self) -> list[CloudLinkUser]: ...

    async def lines(self, extensions: Sequence[str]) -> list[LineSnapshot]:
        """The phones at these extensions; those that CloudLink does not know are left out."""
        ...

    async def subscribe(self, webhook_url: str) -> str: ...

    async def subscriptions(self) -> frozenset[str]: ...

    async def unsubscribe(self, subscription_id: str) -> None: ...


class Directory(Protocol):
    """A tenant's people. Every call raises ``SyncError``."""

    async def organisation(self) -> str: ...

    async def users(self) -> Sequence[Account]: ...


class PresenceService(Protocol):
    async def push(self, changes: Sequence[Change]) -> list[Outcome]:
        """Send at most 20 changes; an outcome for each, in their order. Raises ``SyncError`` when all failed."""
        ...

    async def read(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Availability and activity by user id. Raises ``SyncError``."""
        ...


class Outside(Protocol):
    """Ways to the services. What is asked for twice with the same credentials shares its tokens."""

    def phones(self, account: CloudLinkAccount) -> Phones: ...

    def fresh_phones(self, account: CloudLinkAccount) -> Phones:
        """With a token of its own: what an administrator tests is what is tested."""
        ...

    def presence(self, app: TeamsApp) -> PresenceService: ...

    def directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]: ...

    def fresh_directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]:
        """Read with a fresh token, once it is proven to hold the roles we need. Entering raises ``SyncError``."""
        ...

    def forget(self, app: TeamsApp) -> None:
        """Drop the tokens that are kept for ``app``: its rights may have changed."""
        ...
