"""Decides which HTTP requests become turns: checks the method, the caller, the body, the fields and the tenant."""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from bot.hosting.activity_parser import ParsedActivity, parse_activity
from bot.hosting.auth.verifier import Verifier
from bot.hosting.config import HostingConfig
from bot.hosting.refusals import Refused
from core.http.client import TooLarge, is_loopback_host, read_capped

TEAMS = "msteams"
"""The only channel that authenticates people and tenants; in others a client can claim to be anyone."""

READ_SECONDS = 15

PROXY_HEADERS = (
    *("via", "forwarded", "x-forwarded"),
    *(
        "x-real-",
        "x-client-",
        "x-cluster-",
        "x-proxy",
        "x-original-",
        "x-rewrite-",
        "x-remote-",
        "x-ssl-",
        "client-ip",
        "true-client-",
    ),
    *("x-envoy-", "x-amz", "x-azure-", "x-arr-", "x-appengine-", "x-cloud-", "x-vercel-", "x-tunnel-"),
    *("cf-", "cdn-", "fastly-", "akamai-", "fly-", "ngrok-", "tailscale-", "wl-proxy-", "proxy-"),
)
"""Beginnings of the headers by which proxies, tunnels and content delivery networks can be recognized."""


class Admission:
    """Checks method, caller, body, fields, channel, service and tenant, in this order.

    Without a ``verifier`` only callers on this machine are admitted, and not through a proxy or a tunnel that adds
    a header. One that adds none cannot be distinguished from a local caller.
    """

    def __init__(self, config: HostingConfig, verifier: Verifier | None) -> None:
        self._config = config
        self._verifier = verifier

    async def admit(self, request: web.Request) -> ParsedActivity:
        """Return the checked activity. Raises ``Refused``. The caller is verified before its body is read."""
        if request.method != "POST":
            raise Refused(405, "method")
        if self._verifier is None and not _is_from_this_machine(request):
            raise Refused(403, "passed_on_unauthenticated")
        caller = await self._verifier.verify(request.headers.get("Authorization")) if self._verifier else None
        parsed = parse_activity(await read_json(request, self._config.max_body_bytes))
        address = parsed.address
        if caller:
            caller.check_activity(address.service_url, address.channel_id)
            if address.channel_id != TEAMS:
                raise Refused(403, "channel_not_allowed")
        if not self._config.allows_service(address.service_url):
            raise Refused(403, "service_url_not_allowed")
        if not self._config.allows_tenant(address.tenant_id):
            raise Refused(403, "tenant_not_allowed")
        return parsed


def _is_from_this_machine(request: web.Request) -> bool:
    """Whether the request is addressed to a loopback name and has no header of a proxy."""
    try:
        host = request.url.host or ""
    except ValueError:
        return False
    return is_loopback_host(host) and not any(name.lower().startswith(PROXY_HEADERS) for name in request.headers)


async def read_json(request: web.Request, max_bytes: int) -> dict[str, Any]:
    """Read the request's JSON object. Raises ``Refused`` with 415, 413, 408 or 400."""
    if request.content_type != "application/json" or "Content-Type" not in request.headers:
        raise Refused(415, "content_type")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(415, "content_encoding")
    if (request.content_length or 0) > max_bytes:
        raise Refused(413, "body_too_large")
    try:
        async with asyncio.timeout(READ_SECONDS):
            raw = await _read(request, max_bytes)
    except TimeoutError:
        raise Refused(408, "body_too_slow") from None
    return _parse(raw)


async def _read(request: web.Request, max_bytes: int) -> bytes:
    try:
        return await read_capped(request.content.iter_any(), max_bytes)
    except TooLarge:
        raise Refused(413, "body_too_large") from None
    except web.RequestPayloadError:
        raise Refused(400, "body_unreadable") from None


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refused(400, "not_json") from None
    if not isinstance(parsed, dict):
        raise Refused(400, "not_an_object")
    return parsed
