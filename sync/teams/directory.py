"""The users of a tenant, read by msgraph-sdk, which is imported in a thread when a directory is first opened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import orjson

from core.clock import Clock
from core.http.client import is_loopback, same_origin, ssl_context
from core.metrics import Metrics
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.services import DirectoryPage, Group, MembersPage, UserChange
from sync.teams.graph_client import with_fresh_token
from sync.teams.tokens import Tokens

if TYPE_CHECKING:
    from sync.teams.sdk import Graph

FIELDS = ["id", "userPrincipalName", "mail", "proxyAddresses", "accountEnabled", "userType"]
GROUP_FIELDS = ["id", "displayName", "visibility"]
LARGEST_MEMBERS_PAGE = 999
"""Graph reference, group: list transitiveMembers."""

USER_TYPE = "#microsoft.graph.user"
TIMEOUT = httpx.Timeout(30, connect=5)
LONGEST_CALL = 60
NEXT, LAST = "@odata.nextLink", "@odata.deltaLink"
NO_SUCH_ONE = frozenset({400, 404})
"""Statuses for a user or group that does not exist, or a name that cannot be one."""


@dataclass(frozen=True, slots=True)
class TeamsUser:
    """A user of the tenant. ``mail`` is empty without one; ``proxy_addresses`` are plain SMTP addresses.

    A ``guest`` has presence in another tenant, not in this one.
    """

    id: str
    name: str
    principal_name: str
    mail: str
    enabled: bool
    proxy_addresses: tuple[str, ...] = ()
    guest: bool = False


class GraphDirectory:
    """Reads the tenant's directory. Made by ``open_directory``.

    Every call raises ``CredentialsWrong`` (GRAPH_FORBIDDEN, ENTRA_*) and ``ServiceUnavailable`` (GRAPH_THROTTLED,
    GRAPH_UNREACHABLE, GRAPH_UNREADABLE, ENTRA_UNREACHABLE). Only a refused token is retried, once.
    """

    def __init__(self, graph: "Graph", tokens: Tokens, graph_url: str) -> None:
        self._graph = graph
        self._tokens = tokens
        self._graph_url = graph_url

    async def organisation(self) -> str:
        """The tenant's display name, empty when it has none."""
        page = await self._page(self._graph.organisations)
        return next((_text(item, "displayName") for item in page.fields["value"]), "")

    async def changes(self, link: str) -> DirectoryPage:
        """A page of changed users, or with an empty ``link`` the first of all users ("user: delta").

        Raises ``ServiceUnavailable``: GRAPH_UNREADABLE for a page that leads nowhere or off Graph's host; the
        ``status`` 400, 404 or 410 for a ``link`` that Graph does not know any more.
        """
        if link and not same_origin(link, self._graph_url):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, status=400)
        page = await self._page(partial(self._graph.more_users, link) if link else self._all)
        following = page.fields.get(NEXT) or page.fields.get(LAST)
        if not isinstance(following, str) or not same_origin(following, self._graph_url):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field=NEXT)
        changes = tuple(_change(item) for item in page.fields["value"] if _text(item, "id"))
        return DirectoryPage(changes, following, not page.fields.get(NEXT), page.size)

    async def _all(self) -> bytes | None:
        return await self._graph.users(FIELDS)

    async def find(self, principal_name: str) -> TeamsUser | None:
        """The user who signs in with this name; None when there is none."""
        try:
            found = await with_fresh_token(
                self._tokens, lambda: _read(lambda: self._graph.user(principal_name, [*FIELDS, "displayName"]))
            )
        except ServiceUnavailable as error:
            if error.context.get("status") in NO_SUCH_ONE:
                return None
            raise
        user_id, name = _text(found.fields, "id"), _text(found.fields, "displayName")
        return TeamsUser(**{**_NOTHING, **_change(found.fields).fields}, id=user_id, name=name) if user_id else None

    async def groups(self, typed: str) -> list[Group]:
        """The group with this object id, or the first two with this name; empty for none."""
        if not _is_guid(typed):
            page = await self._page(lambda: self._graph.groups(typed, GROUP_FIELDS, 2))
            return [_group(item) for item in page.fields["value"] if _text(item, "id")]
        try:
            found = await with_fresh_token(
                self._tokens, lambda: _read(lambda: self._graph.group(typed, GROUP_FIELDS))
            )
        except ServiceUnavailable as error:
            if error.context.get("status") in NO_SUCH_ONE:
                return []
            raise
        return [_group(found.fields)] if _text(found.fields, "id") else []

    async def members(self, group_id: str, link: str) -> MembersPage:
        """The Teams users on a page of a group's members.

        Not by OData cast: that reads an index which may not have the newest changes.
        Raises ``ServiceUnavailable`` (GRAPH_UNREADABLE) for a page that leads off Graph's host.
        """
        page = await self._page(
            partial(self._graph.more_members, link)
            if link
            else partial(self._graph.members, group_id, LARGEST_MEMBERS_PAGE)
        )
        following = page.fields.get(NEXT, "")
        if not isinstance(following, str) or (following and not same_origin(following, self._graph_url)):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field=NEXT)
        users = (_text(item, "id") for item in page.fields["value"] if _text(item, "@odata.type") == USER_TYPE)
        return MembersPage(tuple(filter(None, users)), following, page.size)

    async def _page(self, send: Callable[[], Awaitable[bytes | None]]) -> "_Page":
        """A page, by a call that may be made twice. Errors are raised without the SDK's, which hold the request."""
        return await with_fresh_token(self._tokens, lambda: _read_page(send))


@asynccontextmanager
async def open_directory(
    tokens: Tokens, graph_url: str, clock: Clock, metrics: Metrics
) -> AsyncIterator[GraphDirectory]:
    """A directory to read while the context lasts. ``graph_url`` may be plain http on this machine only."""
    graph_class = await asyncio.to_thread(_imported)
    async with httpx.AsyncClient(
        timeout=TIMEOUT,
        verify=ssl_context(),
        follow_redirects=False,
        trust_env=not is_loopback(graph_url),
    ) as http:
        yield GraphDirectory(graph_class(http, tokens, graph_url, clock, metrics), tokens, graph_url)


@dataclass(frozen=True, slots=True)
class _Page:
    """What Graph returned, a page of a list or one user, and how many bytes it was."""

    fields: dict[str, Any]
    size: int


async def _read_page(send: Callable[[], Awaitable[bytes | None]]) -> _Page | SyncError:
    page = await _read(send)
    if isinstance(page, SyncError) or isinstance(page.fields.get("value"), list):
        return page
    return ServiceUnavailable(Fault.GRAPH_UNREADABLE)


async def _read(send: Callable[[], Awaitable[bytes | None]]) -> _Page | SyncError:
    try:
        async with asyncio.timeout(LONGEST_CALL):
            content = await send() or b""
        fields = orjson.loads(content)
    except SyncError as error:
        return error
    except Exception as error:
        is_lost = isinstance(error, httpx.TransportError | OSError)
        fault = Fault.GRAPH_UNREACHABLE if is_lost else Fault.GRAPH_UNREADABLE
        return ServiceUnavailable(fault, error=type(error).__name__)
    if isinstance(fields, dict):
        return _Page(fields, len(content))
    return ServiceUnavailable(Fault.GRAPH_UNREADABLE)


def _imported() -> "type[Graph]":
    from sync.teams.sdk import Graph

    return Graph


def _change(item: dict[str, Any]) -> UserChange:
    """Graph leaves out what did not change, and what was never set."""
    fields = {name: read(item[key]) for key, (name, read) in _READ.items() if key in item}
    return UserChange(_text(item, "id"), fields, "@removed" in item)


def _group(item: dict[str, Any]) -> Group:
    return Group(
        _text(item, "id"), _text(item, "displayName"), hidden=_text(item, "visibility") == "HiddenMembership"
    )


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _text(item: object, name: str) -> str:
    return _as_text(item.get(name)) if isinstance(item, dict) else ""


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _smtp(addresses: object) -> Iterator[str]:
    for address in addresses if isinstance(addresses, list) else []:
        if isinstance(address, str) and address.lower().startswith("smtp:"):
            yield address[5:]


_READ: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "userPrincipalName": ("principal_name", _as_text),
    "mail": ("mail", _as_text),
    "proxyAddresses": ("proxy_addresses", lambda value: tuple(_smtp(value))),
    "accountEnabled": ("enabled", lambda value: value is not False),
    "userType": ("guest", lambda value: _as_text(value).casefold() == "guest"),
}
"""Graph's properties as fields of an ``Account``."""

_NOTHING: dict[str, Any] = {"principal_name": "", "mail": "", "enabled": True}
"""Of a user of whom Graph says nothing more."""
