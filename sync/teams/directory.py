"""The users of a tenant, read by msgraph-sdk, which is imported in a thread when a directory is first opened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from core.clock import Clock
from core.http import is_loopback, same_origin, ssl_context
from core.metrics import Metrics
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.listing import ListLimits, reading_list
from sync.teams.graph_client import with_fresh_token
from sync.teams.tokens import Tokens

if TYPE_CHECKING:
    from sync.teams.sdk import Graph

PAGE = 999
FIELDS = ["id", "displayName", "userPrincipalName", "mail", "proxyAddresses", "accountEnabled", "userType"]
TIMEOUT = httpx.Timeout(30, connect=5)
LONGEST_CALL = 60
NEXT = "@odata.nextLink"
NO_SUCH_USER = frozenset({400, 404})
"""Statuses for a name that nobody has, or that cannot be one."""

LIMITS = ListLimits()
"""For all users of a tenant."""


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

    async def users(self) -> list[TeamsUser]:
        """All users, on all pages.

        Raises ``ServiceUnavailable``: GRAPH_UNREADABLE for a next page that is not on Graph's host,
        GRAPH_LIST_TOO_LONG for a list beyond ``LIMITS``.
        """
        async with reading_list(LIMITS, Fault.GRAPH_LIST_TOO_LONG) as count:
            page = await self._page(lambda: self._graph.users(FIELDS, PAGE))
            count(page.size)
            found = _users(page.fields)
            seen: set[str] = set()
            while link := page.fields.get(NEXT):
                if not isinstance(link, str) or link in seen or not same_origin(link, self._graph_url):
                    raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field=NEXT)
                seen.add(link)
                page = await self._page(partial(self._graph.more_users, link))
                count(page.size)
                found += _users(page.fields)
        return found

    async def find(self, principal_name: str) -> TeamsUser | None:
        """The user who signs in with this name; None when there is none."""
        try:
            found = await with_fresh_token(
                self._tokens, lambda: _read(lambda: self._graph.user(principal_name, FIELDS))
            )
        except ServiceUnavailable as error:
            if error.context.get("status") in NO_SUCH_USER:
                return None
            raise
        return _user(found.fields) if _text(found.fields, "id") else None

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


def _users(page: dict[str, Any]) -> list[TeamsUser]:
    return [_user(item) for item in page["value"] if _text(item, "id")]


def _user(item: dict[str, Any]) -> TeamsUser:
    return TeamsUser(
        id=_text(item, "id"),
        name=_text(item, "displayName"),
        principal_name=_text(item, "userPrincipalName"),
        mail=_text(item, "mail"),
        enabled=item.get("accountEnabled") is not False,
        proxy_addresses=tuple(_smtp(item.get("proxyAddresses"))),
        guest=_text(item, "userType").casefold() == "guest",
    )


def _text(item: object, name: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""


def _smtp(addresses: object) -> Iterator[str]:
    for address in addresses if isinstance(addresses, list) else []:
        if isinstance(address, str) and address.lower().startswith("smtp:"):
            yield address[5:]
