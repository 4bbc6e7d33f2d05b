"""Who is in the tenant, through msgraph-sdk, which is imported in a thread when a directory is first opened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from core.http import is_loopback, retry_after, same_origin, ssl_context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.teams.tokens import Tokens

if TYPE_CHECKING:
    from sync.teams.sdk import Graph

PAGE = 999
FIELDS = ["id", "displayName", "userPrincipalName", "mail", "proxyAddresses", "accountEnabled"]
TIMEOUT = httpx.Timeout(30, connect=5)
LONGEST_CALL = 60
NEXT = "@odata.nextLink"


@dataclass(frozen=True, slots=True)
class TeamsUser:
    """A user of the tenant. ``mail`` is empty without one; ``proxy_addresses`` are plain SMTP addresses."""

    id: str
    name: str
    principal_name: str
    mail: str
    enabled: bool
    proxy_addresses: tuple[str, ...] = ()


class Directory:
    """Reads the tenant's directory. Made by ``open_directory``.

    Every call raises ``CredentialsWrong`` (GRAPH_FORBIDDEN, and what Entra says) and ``ServiceUnavailable``
    (GRAPH_THROTTLED, GRAPH_UNREACHABLE, GRAPH_UNREADABLE). Nothing is retried here but a refused token, once.
    """

    def __init__(self, graph: "Graph", tokens: Tokens, graph_url: str) -> None:
        self._graph = graph
        self._tokens = tokens
        self._graph_url = graph_url

    async def organisation(self) -> str:
        """The tenant's display name, empty when it has none."""
        page = await self._ask(self._graph.organisations)
        return next((_text(item, "displayName") for item in page["value"]), "")

    async def users(self) -> list[TeamsUser]:
        """Everybody, all pages; a page that lies elsewhere than Graph is not asked for."""
        page = await self._ask(lambda: self._graph.users(FIELDS, PAGE))
        found = _users(page)
        seen: set[str] = set()
        while link := _text(page, NEXT):
            if link in seen or not same_origin(link, self._graph_url):
                raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field=NEXT)
            seen.add(link)
            page = await self._ask(partial(self._graph.more_users, link))
            found += _users(page)
        return found

    async def _ask(self, call: Callable[[], Awaitable[bytes | None]]) -> dict[str, Any]:
        """A page, by a call that may be made twice. Errors are raised anew: the SDK's hold the request."""
        outcome = await self._outcome(call)
        if _status(outcome) == 401:
            self._tokens.forget()
            outcome = await self._outcome(call)
        if isinstance(outcome, dict):
            return outcome
        if _status(outcome) in {401, 403}:
            self._tokens.forget()
        raise _translated(outcome)

    async def _outcome(self, call: Callable[[], Awaitable[bytes | None]]) -> dict[str, Any] | Exception:
        try:
            async with asyncio.timeout(LONGEST_CALL):
                page = orjson.loads(await call() or b"")
        except Exception as error:
            return error
        whole = isinstance(page, dict) and isinstance(page.get("value"), list)
        return page if whole else ServiceUnavailable(Fault.GRAPH_UNREADABLE)


@asynccontextmanager
async def open_directory(tokens: Tokens, graph_url: str) -> AsyncIterator[Directory]:
    """A directory to read while the context lasts. ``graph_url`` may be plain http on this machine only."""
    graph_class = await asyncio.to_thread(_imported)
    async with httpx.AsyncClient(
        timeout=TIMEOUT,
        verify=ssl_context(),
        follow_redirects=False,
        trust_env=not is_loopback(graph_url),
        event_hooks={"response": [_refuse_redirect]},
    ) as http:
        yield Directory(graph_class(http, tokens, graph_url), tokens, graph_url)


async def _refuse_redirect(response: httpx.Response) -> None:
    """The SDK would read a redirect's body as the answer."""
    if 300 <= response.status_code < 400:
        raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, status=response.status_code)


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
    )


def _text(item: object, name: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""


def _smtp(addresses: object) -> Iterator[str]:
    for address in addresses if isinstance(addresses, list) else []:
        if isinstance(address, str) and address.lower().startswith("smtp:"):
            yield address[5:]


def _status(outcome: object) -> int | None:
    return getattr(outcome, "response_status_code", None)


def _translated(error: Exception) -> SyncError:
    if isinstance(error, SyncError):
        return error
    status = _status(error)
    if status is None:
        lost = isinstance(error, httpx.TransportError | OSError)
        return ServiceUnavailable(
            Fault.GRAPH_UNREACHABLE if lost else Fault.GRAPH_UNREADABLE, error=type(error).__name__
        )
    if status in {401, 403}:
        return CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=status)
    headers = httpx.Headers(getattr(error, "response_headers", None) or {})
    wait = retry_after(headers.get("Retry-After"), datetime.now(UTC))
    if status == 429:
        return ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
    fault = Fault.GRAPH_UNREACHABLE if status >= 500 else Fault.GRAPH_UNREADABLE
    return ServiceUnavailable(fault, wait, status=status)
