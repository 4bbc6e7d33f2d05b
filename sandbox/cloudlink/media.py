"""CloudLink's media service: an endpoint and its calls, on request."""

from typing import Any

from aiohttp import web

from sandbox.cloudlink.authentication import check_bearer
from sandbox.cloudlink.responses import collection, not_found, respond
from sandbox.http import WORLD
from sandbox.world.people import Device, Person
from sandbox.world.phones import PhoneCall

DIRECTIONS = {"incoming": "inbound", "outgoing": "outbound"}
"""As Mitel's sample spells them."""


def _endpoint(request: web.Request) -> tuple[Person, Device]:
    """Of a number that two sites have, the first one's: CloudLink's address for it holds no site."""
    check_bearer(request)
    found = ((person, device) for person in request.app[WORLD].saved.people for device in person.devices)
    for person, device in found:
        if device.number == request.match_info["number"]:
            return person, device
    raise not_found()


def _call_json(call: PhoneCall, timed: bool) -> dict[str, Any]:
    return {
        "callId": call.call_id,
        "state": call.state,
        "direction": DIRECTIONS[call.direction],
        "from": call.from_,
        "to": call.to,
        **({"timestamp": call.changed_ms, "conference": call.conference} if timed else {}),
    }


async def endpoint(request: web.Request) -> web.Response:
    person, device = _endpoint(request)
    return respond(
        request,
        {
            "endpointId": device.number,
            "userId": person.id,
            "siteId": device.site_id,
            "state": device.phone.state,
            "doNotDisturb": device.phone.do_not_disturb,
            "timestamp": device.phone.changed_ms,
        },
    )


async def calls(request: web.Request) -> web.Response:
    """Unless calls are plain, an item carries no time, as in the only public model of one."""
    timed = request.app[WORLD].saved.faults.plain_calls
    return respond(request, collection([_call_json(call, timed) for call in _endpoint(request)[1].phone.calls]))
