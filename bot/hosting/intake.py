"""From an HTTP request to a JSON object: method, content type, size, syntax."""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from bot.hosting.refusals import Refused
from core.http import TooLarge, read_capped

READ_SECONDS = 15


async def read_json(request: web.Request, max_bytes: int) -> dict[str, Any]:
    """The request's JSON object, read from its stream. Raises ``Refused`` with 415, 413, 408 or 400."""
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
