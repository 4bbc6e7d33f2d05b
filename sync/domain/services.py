"""The services sync needs, as Protocols; ``sync.service_clients`` provides the real ones, tests their fakes.

A list that a service gives page by page has limits: a longer one is an error, never a shorter list.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from sync.domain.changes import Outcome, Request
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.phone_events import CloudLinkUser, LineSnapshot
from sync.domain.presence import Shown

MAX_CHANGES = 20
"""Requests in one ``$batch`` (Microsoft Graph, JSON batching)."""

MAX_READ = 650
"""People whose presence one request reads (Graph reference, presence: getPresencesByUserId)."""


MANY_REFUSED = 10
"""Of fewer phones of which CloudLink does not answer, the reason may be in each of them."""

READABLE_AFTER = timedelta(seconds=30)
"""A presence that was accepted more recently may not be readable yet."""


class Account(Protocol):
    """What matching reads of a Teams user."""

    @property
    def id(self) -> str: ...
    @property
    def principal_name(self) -> str: ...
    @property
    def mail(self) -> str | None: ...
    @property
    def proxy_addresses(self) -> Sequence[str]: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def guest(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Password:
    """A client secret as Graph lists it. ``hint`` is its first three characters, empty when missing."""

    key_id: str
    name: str
    hint: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A client secret just added; its value is returned only once."""

    key_id: str
    secret: str = field(repr=False)
    expires_on: date


@dataclass(frozen=True, slots=True)
class LinesRead:
    """Phones as they were read. ``refused`` are those, by extension, of which CloudLink does not answer, and why.

    What it does not know is in neither.
    """

    found: list[LineSnapshot]
    refused: Mapping[str, SyncError] = field(default_factory=dict)


class Phones(Protocol):
    """A CloudLink account. Every call raises ``SyncError``."""

    async def region(self) -> str:
        """The region that is set, or else the one the account's token names; empty for the default one."""
        ...

    async def account_name(self) -> str: ...

    async def users(self) -> list[CloudLinkUser]: ...

    async def lines(self, extensions: Sequence[str]) -> LinesRead:
        """The phones at these extensions. What concerns one of them alone is not raised."""
        ...

    async def subscribe(self, webhook_url: str) -> str: ...

    async def subscriptions(self) -> frozenset[str]: ...

    async def unsubscribe(self, subscription_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class UserChange:
    """A Teams user as Graph reports it: ``fields``, named as in ``Account``, are those that may have changed."""

    id: str
    fields: Mapping[str, Any]
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """Changed users; ``link`` leads to the next page or, on the last one, to what changes from now on.

    ``size`` is in bytes.
    """

    changes: Sequence[UserChange]
    link: str
    is_last: bool
    size: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A group of Entra ID. Of one with ``hidden`` membership an application cannot see who is in it."""

    id: str
    name: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Ids of Teams users in a group; ``link`` leads to the next page, empty on the last. ``size`` is in bytes."""

    user_ids: tuple[str, ...]
    link: str = ""
    size: int = 0


class Directory(Protocol):
    """A tenant's people. Every call raises ``SyncError``."""

    async def organisation(self) -> str: ...

    async def changes(self, link: str) -> DirectoryPage:
        """A page of the users who changed; with an empty ``link`` the first page of all users.

        Its context has the ``status`` 400, 404 or 410 when ``link`` is no longer known.
        """
        ...

    async def find(self, principal_name: str) -> Account | None:
        """The user who signs in with this name; None when there is none."""
        ...

    async def groups(self, typed: str) -> Sequence[Group]:
        """The group with this object id, or the first two with this name; empty for none."""
        ...

    async def members(self, group_id: str, link: str) -> MembersPage:
        """The Teams users in a group, directly or through other groups: the page at ``link``, empty for the first.

        The error's context has the ``status`` 404 when there is no such group.
        """
        ...


class PresenceService(Protocol):
    async def push(self, changes: Sequence[Request]) -> list[Outcome]:
        """Send at most ``MAX_CHANGES``; returns their outcomes in order. Raises ``SyncError`` when all failed."""
        ...

    async def read(self, user_ids: Sequence[str]) -> dict[str, Shown]:
        """What Teams shows, by user id, without those Graph does not know; at most ``MAX_READ``.

        Raises ``SyncError``.
        """
        ...

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        """Status messages by user id, empty for none; at most ``MAX_READ``. Raises ``SyncError``."""
        ...


class Registration(Protocol):
    """An application's own registration. Every call raises ``SyncError``."""

    async def may_read(self) -> bool: ...

    async def may_rotate(self) -> bool: ...

    async def passwords(self) -> list[Password]: ...

    async def add_password(self, name: str, expires_at: datetime) -> NewPassword: ...

    async def remove_password(self, key_id: str) -> None:
        """Remove a secret; it is success if it does not exist (any more)."""
        ...


class ServiceClients(Protocol):
    """Clients of the services. Those with the same credentials share their tokens."""

    def phones(self, account: CloudLinkAccount) -> Phones: ...

    def fresh_phones(self, account: CloudLinkAccount) -> Phones:
        """With an unshared token: a connection test must not pass on a cached one."""
        ...

    def presence(self, app: TeamsApp) -> PresenceService: ...

    def directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]: ...

    def fresh_directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]:
        """Reads with a fresh token, once it is proven to hold the roles we need. Entering raises ``SyncError``."""
        ...

    def registration(self, app: TeamsApp) -> Registration: ...

    async def prove(self, app: TeamsApp) -> None:
        """Acquire a fresh token and check its roles; nothing is read. Raises ``SyncError``."""
        ...

    async def post_to_own_webhook(self, url: str, sealed: str) -> tuple[int, bytes]:
        """Post ``sealed`` to a webhook of ours; the status and body. Raises ``ServiceUnavailable``."""
        ...

    def forget(self, app: TeamsApp) -> None:
        """Drop the cached tokens of ``app``: its rights may have changed."""
        ...


@dataclass(frozen=True, slots=True)
class ListLimits:
    """What all pages together may take: their number, their bytes (400,000 people of 500), and the seconds."""

    pages: int = 2000
    size: int = 200_000_000
    seconds: float = 600


@asynccontextmanager
async def reading_list(limits: ListLimits, fault: Fault) -> AsyncIterator[Callable[[int], None]]:
    """Read a list within the block; the function it gives is called with the bytes of each page.

    Raises ``ServiceUnavailable`` with ``fault`` for a list beyond ``limits``.
    """
    pages = size = 0

    def count(page: int) -> None:
        nonlocal pages, size
        pages, size = pages + 1, size + page
        if pages > limits.pages or size > limits.size:
            raise ServiceUnavailable(fault, pages=pages)

    is_late = False
    try:
        async with asyncio.timeout(limits.seconds):
            yield count
    except TimeoutError:
        is_late = True
    if is_late:
        raise ServiceUnavailable(fault, pages=pages)
