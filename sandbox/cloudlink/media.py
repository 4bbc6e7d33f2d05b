"""CloudLink's media service: a phone and its calls, on request."""

from typing import Any

from aiohttp import web

from sandbox.cloudlink.authentication import check_bearer
from sandbox.cloudlink.responses import collection, not_found, respond
from sandbox.http import WORLD
from sandbox.people import Person
from sandbox.phones import PhoneCall


def _person(request: web.Request) -> Person:
    check_bearer(request)
    person = request.app[WORLD].person(request.match_info["extension"])
    if person is None:
        raise not_found()
    return person


def _call_json(call: PhoneCall) -> dict[str, Any]:
    return {
        "callId": call.call_id,
        "state": call.state,
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "conference": call.conference,
        "timestamp": call.changed_ms,
    }


async def endpoint(request: web.Request) -> web.Response:
    person = _person(request)
    phone = person.phone
    return respond(
        request,
        {
            "endpointId": person.extension,
            "userId": person.id,
            "state": phone.state,
            "doNotDisturb": phone.do_not_disturb,
            "timestamp": phone.changed_ms,
        },
    )


async def calls(request: web.Request) -> web.Response:
    return respond(request, collection([_call_json(call) for call in _person(request).phone.calls]))
