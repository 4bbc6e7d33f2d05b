"""The switchboard shows secrets: it serves only this machine's pages and programs, and validates their input."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.http import BadJson, json_body, json_response

PREFIX = "/switchboard"


class ControlError(Exception):
    """A request that cannot be carried out: an HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts and other sites' pages; return errors as JSON."""
    if request.path != PREFIX and not request.path.startswith(f"{PREFIX}/"):
        return await handler(request)
    try:
        _check_origin(request)
        return await handler(request)
    except ControlError as error:
        return json_response({"error": error.message}, error.status)


def _check_origin(request: web.Request) -> None:
    """``Host`` must name this machine (a foreign name may be rebound to it); ``Origin``, if any, be the same."""
    if not _is_this_machine(urlsplit(f"//{request.host}").hostname or ""):
        raise ControlError(403, "The switchboard is for this machine only.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ControlError(403, "The switchboard is for its own page only.")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def value_sent(request: web.Request) -> Any:
    """The JSON sent, None for none. Insists on its content type, which another site's form cannot send."""
    if request.content_type != "application/json":
        raise ControlError(400, "Content-Type must be application/json.")
    if not await request.read():
        return None
    try:
        return await json_body(request)
    except BadJson as error:
        raise ControlError(400, str(error)) from None


async def fields_sent(request: web.Request, *names: str) -> dict[str, Any]:
    """The JSON object sent, which has no fields but ``names``; empty for an empty body."""
    sent = await value_sent(request)
    fields = {} if sent is None else sent
    if not isinstance(fields, dict):
        raise ControlError(400, "The body must be an object.")
    if unknown := sorted(fields.keys() - set(names)):
        raise ControlError(400, f"Unknown field: {unknown[0][:40]}.")
    return fields


def flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise ControlError(400, f"{name} must be true or false.")
    return value


def text(fields: dict[str, Any], name: str, default: str | None = None, longest: int = 100) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ControlError(400, f"{name} must be a text of 1 to {longest} characters.")
    return value


def number(fields: dict[str, Any], name: str, default: float | None, least: float, most: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ControlError(400, f"{name} must be a number from {least:g} to {most:g}.")
    return value
