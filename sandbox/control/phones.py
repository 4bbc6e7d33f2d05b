"""Controls of the phones, each by the key of its device."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.control.guard import PREFIX, ControlError, fields_sent, flag, text
from sandbox.http import WORLD, json_response
from sandbox.state import World
from sandbox.world.phones import PhoneError, UsedPhone

_CALLER, _CALLEE = "+351210000199", "+351210000299"

Action = Callable[[World, UsedPhone, dict[str, Any]], dict[str, Any]]


def _call_id(fields: dict[str, Any]) -> str | None:
    return None if fields.get("callId") is None else text(fields, "callId")


def _ring(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    return {"callId": phone.ring(world.new_id(), text(fields, "from", _CALLER)).call_id}


def _dial(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    return {"callId": phone.dial(world.new_id(), text(fields, "to", _CALLEE)).call_id}


def _answer(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    return {"callId": phone.answer(_call_id(fields)).call_id}


def _hang_up(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    if "all" in fields and flag(fields, "all"):
        phone.hang_up_all()
        return {}
    return {"callId": phone.hang_up(_call_id(fields)).call_id}


def _conference(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    return {"callId": phone.conference(_call_id(fields)).call_id}


def _hold(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    return {"callId": phone.hold(_call_id(fields)).call_id}


def _do_not_disturb(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    phone.set_do_not_disturb(flag(fields, "on"))
    return {}


def _registered(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    phone.set_registered(flag(fields, "on"))
    return {}


def _state(world: World, phone: UsedPhone, fields: dict[str, Any]) -> dict[str, Any]:
    pbx_event = text(fields, "pbxEvent") if "pbxEvent" in fields else ""
    return {"callId": phone.publish_state(text(fields, "state"), world.new_id(), pbx_event)}


_ACTIONS: dict[str, tuple[Action, tuple[str, ...]]] = {
    "ring": (_ring, ("from",)),
    "call": (_dial, ("to",)),
    "answer": (_answer, ("callId",)),
    "hangup": (_hang_up, ("callId", "all")),
    "conference": (_conference, ("callId",)),
    "hold": (_hold, ("callId",)),
    "dnd": (_do_not_disturb, ("on",)),
    "registered": (_registered, ("on",)),
    "state": (_state, ("state", "pbxEvent")),
}


def _handle(action: Action, names: tuple[str, ...]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        world = request.app[WORLD]
        fields = await fields_sent(request, *names)
        found = world.device(request.match_info["device"])
        if found is None:
            raise ControlError(404, "There is no such extension.")
        try:
            return json_response(action(world, world.phone_of(*found), fields))
        except PhoneError as error:
            raise ControlError(409, str(error)) from None

    return handle


def routes() -> list[web.RouteDef]:
    path = f"{PREFIX}/phones/{{device}}"
    return [web.post(f"{path}/{name}", _handle(action, names)) for name, (action, names) in _ACTIONS.items()]
