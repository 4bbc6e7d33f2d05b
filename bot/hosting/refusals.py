"""Refused requests: the reason, the log line and the HTTP response."""

from typing import Any

import orjson
from aiohttp import web

from core.errors import CloudLinkPresenceError
from core.http.client import cleaned
from core.limited_log import LimitedLog


class Refused(CloudLinkPresenceError):
    """A refused request: an HTTP status for the sender, and a reason that only the log gets.

    ``body`` is sent as JSON where the protocol defines one; otherwise the response is empty.
    """

    def __init__(self, status: int, reason: str, body: dict[str, Any] | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.body = body


def refuse(refusal: Refused, peer: str | None, log: LimitedLog) -> web.Response:
    fields = {"status": refusal.status, "reason": refusal.reason, "peer": cleaned(peer, 100)}
    log.warning("activity_refused", refusal.reason, **fields)
    headers = {"Allow": "POST"} if refusal.status == 405 else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return json_answer(refusal.status, refusal.body, headers)


def json_answer(status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> web.Response:
    """A response with ``body`` as JSON; without a body for None."""
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, headers=headers, body=orjson.dumps(body), content_type="application/json")
