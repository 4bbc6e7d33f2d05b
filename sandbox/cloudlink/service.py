"""CloudLink's HTTP edge: one path prefix for each of its services."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.cloudlink import accounts, authentication, media, notifications
from sandbox.cloudlink.answers import VERSION, CloudLinkRefusal, answer, not_found
from sandbox.edge import WORLD

SERVICES = ("authentication", "admin", "media", "notifications")

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _guarded(handler: Handler) -> Handler:
    """Trouble first; refusals become answers."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            _check_trouble(request)
            return await handler(request)
        except CloudLinkRefusal as refusal:
            body = {"error": refusal.error, "error_description": refusal.description}
            return answer(request, body, refusal.status, refusal.headers)

    return guarded


def _check_trouble(request: web.Request) -> None:
    trouble = request.app[WORLD].saved.trouble
    if trouble.cloudlink_outage:
        raise CloudLinkRefusal(503, "unavailable", "The service is not available.")
    if trouble.cloudlink_throttle:
        headers = {"Retry-After": str(trouble.retry_after)}
        raise CloudLinkRefusal(429, "too_many_requests", "Too many requests.", headers)


async def _nothing(request: web.Request) -> web.Response:
    raise not_found()


def routes() -> list[web.RouteDef]:
    token, account = f"/authentication/{VERSION}/token", f"/admin/{VERSION}/accounts/{{account}}"
    endpoint, subscriptions = f"/media/{VERSION}/endpoints/{{extension}}", f"/notifications/{VERSION}/subscriptions"
    return [
        web.post(token, _guarded(authentication.token)),
        web.get(token, _guarded(authentication.who_am_i)),
        web.get(account, _guarded(accounts.account)),
        web.get(account + "/users", _guarded(accounts.users)),
        web.get(endpoint, _guarded(media.endpoint)),
        web.get(endpoint + "/calls", _guarded(media.calls)),
        web.post(subscriptions, _guarded(notifications.subscribe)),
        web.get(subscriptions, _guarded(notifications.list_subscriptions)),
        web.delete(subscriptions + "/{subscription}", _guarded(notifications.unsubscribe)),
        *(web.route("*", f"/{service}/{{path:.*}}", _guarded(_nothing)) for service in SERVICES),
    ]
