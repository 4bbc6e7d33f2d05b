"""CloudLink's notifications service: subscriptions to events, and the URLs they go to."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.cloudlink.authentication import check_bearer
from sandbox.cloudlink.responses import bad_request, collection, not_found, respond
from sandbox.http import WORLD, BadJson, json_body
from sandbox.state import Subscription

TOPIC = "platform-api-media"
_LONGEST = 2048
_MOST = 50
_REQUIRED = ("applicationId", "deviceId", "transport", "topic", "subjectFilter")


def is_loopback(url: str) -> bool:
    """Whether an http URL points to this machine: the sandbox posts to no other."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


async def subscribe(request: web.Request) -> web.Response:
    check_bearer(request)
    world = request.app[WORLD]
    body = await _subscription_body(request)
    if len(world.saved.subscriptions) >= _MOST:
        raise bad_request("There are too many subscriptions.")
    subscription = Subscription(
        id=world.new_id(),
        application_id=body["applicationId"],
        url=body["deviceId"],
        topic=body["topic"],
        subject_filter=body["subjectFilter"],
        publication_filter=str(body.get("publicationFilter", "")),
        created=world.now(),
    )
    world.saved.subscriptions[subscription.id] = subscription
    world.changed()
    return respond(request, {"subscriptionId": subscription.id}, 201)


async def _subscription_body(request: web.Request) -> dict[str, Any]:
    try:
        body = await json_body(request)
    except BadJson as error:
        raise bad_request(str(error)) from None
    if not isinstance(body, dict):
        raise bad_request("The body must be an object.")
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not 0 < len(body[name]) <= _LONGEST:
            raise bad_request(f"{name} is missing or too long.")
    if body["transport"] != "webhook" or body["topic"] != TOPIC:
        raise bad_request("The transport or the topic is not supported.")
    if not is_loopback(body["deviceId"]):
        raise bad_request("The sandbox delivers webhooks to this machine only.")
    return body


def _json(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscriptionId": subscription.id,
        "applicationId": subscription.application_id,
        "deviceId": subscription.url,
        "transport": "webhook",
        "topic": subscription.topic,
        "subjectFilter": subscription.subject_filter,
        "publicationFilter": subscription.publication_filter,
    }


async def list_subscriptions(request: web.Request) -> web.Response:
    check_bearer(request)
    return respond(request, collection([_json(each) for each in request.app[WORLD].saved.subscriptions.values()]))


async def unsubscribe(request: web.Request) -> web.Response:
    check_bearer(request)
    world = request.app[WORLD]
    if world.saved.subscriptions.pop(request.match_info["subscription"], None) is None:
        raise not_found()
    world.changed()
    return respond(request, None, 204)
