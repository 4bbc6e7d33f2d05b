"""CloudLink's responses: collections, errors, and a correlation id on each."""

from collections.abc import Sequence
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from sandbox.http import WORLD, json_response, origin

VERSION = "2017-09-01"


class CloudLinkError(Exception):
    """A refused request, with CloudLink's error code."""

    def __init__(self, status: int, error: str, description: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, error, description)
        self.status, self.error, self.description, self.headers = status, error, description, headers or {}


def refused() -> CloudLinkError:
    return CloudLinkError(401, "invalid_client", "The client, its secret or its account is wrong.")


def not_found() -> CloudLinkError:
    return CloudLinkError(404, "not_found", "The resource does not exist.")


def bad_request(description: str) -> CloudLinkError:
    return CloudLinkError(400, "bad_request", description)


def respond(
    request: web.Request, body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """JSON (nothing when ``body`` is None), dated by the phone system's clock, with the correlation id that Mitel's
    support asks for.
    """
    world = request.app[WORLD]
    date = format_datetime(world.phone_time(), usegmt=True)
    all_headers = {"x-mitel-correlation-id": world.new_id(), "Date": date, **(headers or {})}
    if body is None:
        return web.Response(status=status, headers=all_headers)
    return json_response(body, status, all_headers)


def collection(items: Sequence[Any], next_url: str | None = None) -> dict[str, Any]:
    links = {"next": {"href": next_url}} if next_url else {}
    return {"count": len(items), "_links": links, "_embedded": {"items": list(items)}}


def own_url(request: web.Request, path: str) -> str:
    return f"{origin(request)}/{path}"
