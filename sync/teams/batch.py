"""``$batch`` bodies for presence changes, and what the inner responses mean. Pure.

Sources: Graph reference, "presence: setPresence", "presence: clearPresence" (404 when there is no such session),
"presence: setStatusMessage", and "Combine multiple requests using JSON batching": the outer 200 says nothing about
the inner responses, and their order is not kept.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from core.http.client import cleaned, retry_after
from sync.domain.changes import (
    ClearMessage,
    ClearPresence,
    Done,
    Failed,
    MessageChange,
    Outcome,
    Refused,
    Request,
    SetMessage,
    Throttled,
)
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.presence import Presence
from sync.teams.graph_client import CLIENT_REQUEST_ID, TRANSIENT, error_code

JSON = {"Content-Type": "application/json"}
DEFAULT_WAIT = 10.0
"""Seconds to wait after a 429 without Retry-After."""


def batch_of(changes: Sequence[Request], client_id: str) -> dict[str, Any]:
    """The batch's body; each request's id is the change's index."""
    return {"requests": [_request(str(index), change, client_id) for index, change in enumerate(changes)]}


def _request(request_id: str, change: Request, client_id: str) -> dict[str, Any]:
    action, body = _action(change, client_id)
    return {
        "id": request_id,
        "method": "POST",
        "url": f"/users/{_quoted(change.user_id)}/presence/{action}",
        "headers": JSON | {CLIENT_REQUEST_ID: change.cause} if change.cause else JSON,
        "body": body,
    }


@lru_cache(maxsize=10_000)
def _quoted(user_id: str) -> str:
    return quote(user_id, safe="")


def _action(change: Request, client_id: str) -> tuple[str, dict[str, Any]]:
    if isinstance(change, SetMessage | ClearMessage):
        return "setStatusMessage", {"statusMessage": _status_message(change)}
    if isinstance(change, ClearPresence):
        return "clearPresence", {"sessionId": client_id}
    return "setPresence", _shown(client_id, change.presence, change.seconds)


@lru_cache(maxsize=1000)
def _shown(client_id: str, presence: Presence, seconds: int) -> dict[str, Any]:
    return {
        "sessionId": client_id,
        "availability": presence.availability,
        "activity": presence.activity,
        "expirationDuration": iso_duration(seconds),
    }


def _status_message(change: MessageChange) -> dict[str, Any]:
    """The time is written without its zone, which has a field of its own (Graph reference, dateTimeTimeZone)."""
    if isinstance(change, ClearMessage):
        return {"message": {"content": "", "contentType": "text"}}
    until = change.until.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()
    return {
        "message": {"content": change.text, "contentType": "text"},
        "expiryDateTime": {"dateTime": until, "timeZone": "UTC"},
    }


def iso_duration(seconds: int) -> str:
    """``PT1H`` for 3600: the only form Graph accepts."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (rest, "S"))
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")


def outcomes_of(changes: Sequence[Request], response: object, now: datetime) -> list[Outcome]:
    """The outcome of each change, in their order. All that were throttled wait for the longest Retry-After.

    A status that passes (409, 423, 5xx) is said of one person's account: GRAPH_BUSY.

    Raises ``ServiceUnavailable`` (GRAPH_UNREADABLE) when ``response`` is not a batch response.
    """
    responses = response.get("responses") if isinstance(response, Mapping) else None
    if not isinstance(responses, list):
        raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
    by_id = {str(inner.get("id")): inner for inner in responses if isinstance(inner, Mapping)}
    outcomes = [_outcome(change, by_id.get(str(index)), now) for index, change in enumerate(changes)]
    longest = max((each.retry_after for each in outcomes if isinstance(each, Throttled)), default=0.0)
    return [Throttled(longest) if isinstance(each, Throttled) else each for each in outcomes]


def _outcome(change: Request, inner: Mapping[str, Any] | None, now: datetime) -> Outcome:
    status = inner.get("status") if inner else None
    if inner is None or not isinstance(status, int):
        return Failed(ServiceUnavailable(Fault.GRAPH_UNREADABLE))
    if 200 <= status < 300 or (status == 404 and isinstance(change, ClearPresence)):
        return Done()
    wait = retry_after(_header(inner, "retry-after"), now)
    if status == 429:
        return Throttled(DEFAULT_WAIT if wait is None else wait)
    if 400 <= status < 500 and status not in TRANSIENT:
        return Refused(status, error_code(inner.get("body")), _request_id(inner))
    return Failed(ServiceUnavailable(Fault.GRAPH_BUSY, wait, status=status), _request_id(inner))


def _header(inner: Mapping[str, Any], name: str) -> str | None:
    headers = inner.get("headers")
    if not isinstance(headers, Mapping):
        return None
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)


def _request_id(inner: Mapping[str, Any]) -> str:
    """Microsoft's own id of an inner request that failed (Graph: "Error responses and resource types")."""
    body = inner.get("body")
    error = body.get("error") if isinstance(body, Mapping) else None
    inner_error = error.get("innerError") if isinstance(error, Mapping) else None
    request_id = inner_error.get("request-id") if isinstance(inner_error, Mapping) else None
    return cleaned(request_id or _header(inner, "request-id"), 100)
