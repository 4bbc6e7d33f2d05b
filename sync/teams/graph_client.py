"""Requests to Microsoft Graph: a token, one retry with a fresh one after a 401, a bounded body, errors translated.

Nothing else is retried here: retries belong to the owner of the quota. Each request carries a
``client-request-id``; with it, or with the ``request-id`` of the response, Microsoft's support finds a refusal
("Best practices for working with Microsoft Graph"). msgraph-sdk's requests use the same functions
(``sync.teams.sdk``).
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeGuard, TypeVar

import aiohttp
import orjson
import structlog

from core.clock import Clock
from core.correlation import new_cause
from core.http.client import TooLarge, cleaned, read_capped, retry_after, served_at
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Service
from sync.teams.tokens import Tokens

CLIENT_REQUEST_ID = "client-request-id"
LARGEST_BODY = 5_000_000
LARGEST_ERROR = 100_000
SUCCESS = frozenset({200, 201, 204})
TRANSIENT = frozenset({408, 409, 423})
"""4xx statuses that say nothing about the caller's rights: the same request may succeed later."""
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_connect=5)

Result = TypeVar("Result")

log = structlog.get_logger()


class GraphClient:
    """Graph as one application; ``http`` belongs to the caller and counts requests (``core.http.metrics``).

    ``served_at`` is when its last response was sent, by Graph's clock.
    """

    def __init__(self, http: aiohttp.ClientSession, graph_url: str, tokens: Tokens, clock: Clock) -> None:
        self._http = http
        self._base = graph_url.rstrip("/") + "/v1.0"
        self.tokens = tokens
        self.clock = clock
        self.served_at = clock()

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The decoded JSON body of a success, None for an empty one. ``path`` begins behind ``/v1.0``.

        Raises what ``refusal`` returns, ``CredentialsWrong`` and ``ServiceUnavailable`` of Entra (ENTRA_*), and
        ``ServiceUnavailable`` (GRAPH_UNREACHABLE, GRAPH_UNREADABLE).
        """
        return await with_fresh_token(self.tokens, lambda: self._send(method, path, body))

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """The body, or a ``SyncError`` as a value: raised here, it would be chained to the request."""
        headers = {
            "Authorization": f"Bearer {await self.tokens.token()}",
            "Content-Type": "application/json",
            CLIENT_REQUEST_ID: new_cause(),
        }
        try:
            async with self._http.request(
                method,
                self._base + path,
                data=None if body is None else orjson.dumps(body),
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                trace_request_ctx=Service.GRAPH,
            ) as response:
                return await self._read(response)
        except (TooLarge, orjson.JSONDecodeError, aiohttp.ClientPayloadError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREADABLE, error=type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, error=type(error).__name__)

    async def _read(self, response: aiohttp.ClientResponse) -> Any:
        self.served_at = served_at(response.headers, self.clock())
        if response.status in SUCCESS:
            content = await read_capped(response.content.iter_any(), LARGEST_BODY)
            return orjson.loads(content) if content else None
        log_refusal(response.status, response.headers, response.request_info.headers)
        content = b""
        with suppress(TooLarge, aiohttp.ClientPayloadError):
            content = await read_capped(response.content.iter_any(), LARGEST_ERROR)
        return refusal(response.status, response.headers, content, self.clock())


async def with_fresh_token(tokens: Tokens, send: Callable[[], Awaitable[Result | SyncError]]) -> Result:
    """What ``send`` returns; after a 401 it is called once more with a fresh token. Raises an error it returns.

    A token that stays refused (401, 403) is forgotten: the next call sees consent granted in between.
    """
    result = await send()
    if _is_forbidden(result) and result.context.get("status") == 401:
        tokens.forget()
        result = await send()
    if _is_forbidden(result):
        tokens.forget()
    if isinstance(result, SyncError):
        raise result
    return result


def _is_forbidden(result: object) -> TypeGuard[SyncError]:
    """Whether Graph refused the token; what Entra refused is no reason to forget one."""
    return isinstance(result, SyncError) and result.fault is Fault.GRAPH_FORBIDDEN


def refusal(status: int, headers: Mapping[str, str], content: bytes, now: datetime) -> SyncError:
    """What a response that is no success means; its context holds the status, and Graph's error code if it has one.

    ``CredentialsWrong`` (GRAPH_FORBIDDEN) for 401 and 403, ``ServiceUnavailable`` for everything else: 429
    (GRAPH_THROTTLED), 5xx (GRAPH_UNREACHABLE), another 4xx with an error code (GRAPH_REFUSED), and what should not
    happen (GRAPH_UNREADABLE).
    """
    wait = retry_after(headers.get("Retry-After"), served_at(headers, now))
    if status == 429:
        return ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
    code = _code_in(content)
    context: dict[str, str | int] = {"status": status} | ({"error": code} if code else {})
    if status in {401, 403}:
        return CredentialsWrong(Fault.GRAPH_FORBIDDEN, **context)
    if status >= 500:
        return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, wait, **context)
    is_readable = code and status >= 400
    return ServiceUnavailable(Fault.GRAPH_REFUSED if is_readable else Fault.GRAPH_UNREADABLE, wait, **context)


def _code_in(content: bytes) -> str:
    with suppress(orjson.JSONDecodeError):
        return error_code(orjson.loads(content))
    return ""


def error_code(body: object) -> str:
    """The code in Graph's error body, empty without one (Graph: "Error responses and resource types")."""
    error = body.get("error") if isinstance(body, Mapping) else None
    return cleaned(error.get("code"), 100) if isinstance(error, Mapping) else ""


def log_refusal(status: int, headers: Mapping[str, str], sent: Mapping[str, str]) -> None:
    """Log the ids by which Microsoft's support finds the request; ``sent`` are the request's headers."""
    log.info(
        "graph_refused",
        status=status,
        request_id=cleaned(headers.get("request-id"), 100),
        client_request_id=sent.get(CLIENT_REQUEST_ID, ""),
    )
