"""CloudLink's HTTP edge: one path prefix for each of its services."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime

from aiohttp import web

from sandbox.cloudlink import accounts, authentication, media, notifications
from sandbox.cloudlink.responses import VERSION, CloudLinkError, not_found, respond
from sandbox.http import WORLD

SERVICES = ("authentication", "admin", "media", "notifications")

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _with_errors(handler: Handler) -> Handler:
    """Apply the switched-on faults first; turn errors into responses."""

    async def handle(request: web.Request) -> web.Response:
        try:
            _check_faults(request)
            return await handler(request)
        except CloudLinkError as error:
            body = {"error": error.error, "error_description": error.description}
            return respond(request, body, error.status, error.headers)

    return handle


def _check_faults(request: web.Request) -> None:
    """Raises ``CloudLinkError``. The time to wait is a date, as Mitel's own sample reads it."""
    world = request.app[WORLD]
    faults = world.saved.faults
    if world.takes_refusal("cloudlink"):
        raise CloudLinkError(401, "invalid_client", "The client is not known.")
    if faults.cloudlink_outage:
        raise CloudLinkError(503, "unavailable", "The service is not available.")
    if faults.cloudlink_throttle:
        until = world.phone_time() + timedelta(seconds=faults.retry_after)
        headers = {"Retry-After": format_datetime(until, usegmt=True)}
        raise CloudLinkError(429, "too_many_requests", "Too many requests.", headers)


async def _not_found(request: web.Request) -> web.Response:
    raise not_found()


def routes() -> list[web.RouteDef]:
    token, account = f"/authentication/{VERSION}/token", f"/admin/{VERSION}/accounts/{{account}}"
    endpoint, subscriptions = f"/media/{VERSION}/endpoints/{{number}}", f"/notifications/{VERSION}/subscriptions"
    return [
        web.post(token, _with_errors(authentication.token)),
        web.get(token, _with_errors(authentication.who_am_i)),
        web.get(account, _with_errors(accounts.account)),
        web.get(account + "/users", _with_errors(accounts.users)),
        web.get(endpoint, _with_errors(media.endpoint)),
        web.get(endpoint + "/calls", _with_errors(media.calls)),
        web.post(subscriptions, _with_errors(notifications.subscribe)),
        web.get(subscriptions, _with_errors(notifications.list_subscriptions)),
        web.delete(subscriptions + "/{subscription}", _with_errors(notifications.unsubscribe)),
        *(web.route("*", f"/{service}/{{path:.*}}", _with_errors(_not_found)) for service in SERVICES),
    ]
