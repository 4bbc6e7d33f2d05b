"""Controls of the sandbox as a whole: faults, traffic, the clock, the log."""

from aiohttp import web

from sandbox.control.guard import PREFIX, ControlError, fields_sent, flag, number, value_sent
from sandbox.control.view import iso, world_json
from sandbox.faults import BadFault
from sandbox.http import WORLD, json_response
from sandbox.state import REFUSING
from sandbox.world.traffic import MOST_CALLS_PER_MINUTE

_LONGEST_LEAP = 400 * 86400
_MOST_REFUSALS = 100


async def _state(request: web.Request) -> web.Response:
    return json_response(world_json(request.app[WORLD]))


async def _faults(request: web.Request) -> web.Response:
    world, changes = request.app[WORLD], await value_sent(request)
    if not isinstance(changes, dict):
        raise ControlError(400, "The body must be an object.")
    try:
        world.saved.faults = world.saved.faults.changed(changes)
    except BadFault as error:
        raise ControlError(400, str(error)) from None
    world.changed()
    return json_response(world.saved.faults.as_json())


async def _refusals(request: web.Request) -> web.Response:
    """Have a service answer its next requests with 401, and then as usual."""
    world, fields = request.app[WORLD], await fields_sent(request, *REFUSING)
    for service in fields:
        world.refuse_next[service] = int(number(fields, service, None, 0, _MOST_REFUSALS))
    world.changed()
    return json_response({service: world.refuse_next[service] for service in REFUSING})


async def _traffic(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    fields, traffic = await fields_sent(request, "running", "callsPerMinute"), world.saved.traffic
    running = flag(fields, "running") if "running" in fields else traffic.running
    pace = number(fields, "callsPerMinute", traffic.calls_per_minute, 0.1, MOST_CALLS_PER_MINUTE)
    traffic.running, traffic.calls_per_minute, traffic.next_call_at = running, pace, None
    world.changed()
    return json_response({"running": running, "callsPerMinute": pace})


async def _clock(request: web.Request) -> web.Response:
    """Move the sandbox's clock forward, so that expiry can be observed."""
    world = request.app[WORLD]
    fields = await fields_sent(request, "advanceSeconds")
    world.saved.clock_ahead += number(fields, "advanceSeconds", None, 0, _LONGEST_LEAP)
    world.changed()
    return json_response({"now": iso(world.now())})


async def _log(request: web.Request) -> web.Response:
    return json_response(request.app[WORLD].journal.as_json())


async def _clear_log(request: web.Request) -> web.Response:
    request.app[WORLD].journal.entries.clear()
    return json_response({})


def routes() -> list[web.RouteDef]:
    return [
        web.get(f"{PREFIX}/state", _state),
        web.post(f"{PREFIX}/faults", _faults),
        web.post(f"{PREFIX}/refusals", _refusals),
        web.post(f"{PREFIX}/traffic", _traffic),
        web.post(f"{PREFIX}/clock", _clock),
        web.get(f"{PREFIX}/log", _log),
        web.delete(f"{PREFIX}/log", _clear_log),
    ]
