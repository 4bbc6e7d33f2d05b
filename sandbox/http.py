"""Shared by the services' HTTP handlers: access to the world, JSON in, JSON out."""

from typing import Any

import orjson
from aiohttp import web

from sandbox.state import World

WORLD = web.AppKey("world", World)
BATCH: web.RequestKey[list[dict[str, Any]]] = web.RequestKey("batch", list)
"""The calls inside a ``$batch``, for the journal."""

LARGEST_BODY = 4 * 1024 * 1024


class BadJson(ValueError):
    """The body is not JSON."""


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")


async def json_body(request: web.Request) -> Any:
    """The JSON body; its content type must be JSON too. Raises ``BadJson``."""
    if request.content_type != "application/json":
        raise BadJson("Content-Type must be application/json.")
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadJson("The body is not JSON.") from None


def origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
