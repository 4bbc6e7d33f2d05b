"""Controls of people in Teams: their client, the state they choose by hand, their account, their groups."""

from typing import Any, get_args

from aiohttp import web

from sandbox.control.guard import PREFIX, ControlError, fields_sent, flag, text, value_sent
from sandbox.http import WORLD, json_response
from sandbox.state import World
from sandbox.world.people import TeamsUser
from sandbox.world.presence import CHOSEN_PAIRS, Chosen, TeamsClient


def _user(request: web.Request) -> TeamsUser:
    user = request.app[WORLD].teams_user(request.match_info["user"])
    if user is None:
        raise ControlError(404, "There is no such Teams user.")
    return user


def _done(world: World) -> web.Response:
    world.changed()
    return json_response({})


async def _client(request: web.Request) -> web.Response:
    """Sign in to Teams, be idle or busy there, or sign out (null)."""
    fields = await fields_sent(request, "state")
    state = fields.get("state", "")
    if state is not None and state not in get_args(TeamsClient):
        raise ControlError(400, f"state must be null or one of {', '.join(get_args(TeamsClient))}.")
    _user(request).client = state
    return _done(request.app[WORLD])


async def _chosen(request: web.Request) -> web.Response:
    """Choose a state by hand, or clear it (null)."""
    sent = await value_sent(request)
    _user(request).chosen = None if sent is None else _choice(sent)
    return _done(request.app[WORLD])


def _choice(sent: Any) -> Chosen:
    if not isinstance(sent, dict) or sent.keys() != {"availability", "activity"}:
        raise ControlError(400, "Send null, or availability and activity.")
    pair = text(sent, "availability"), text(sent, "activity")
    if pair not in CHOSEN_PAIRS:
        raise ControlError(400, "A person cannot choose this state.")
    return Chosen(*pair)


async def _enabled(request: web.Request) -> web.Response:
    on = flag(await fields_sent(request, "on"), "on")
    return _changed_in_directory(request, _user(request), enabled=on)


async def _refusal(request: web.Request) -> web.Response:
    """Have Graph answer presence calls about this person with a status, 0 for as usual."""
    status = (await fields_sent(request, "status")).get("status")
    if not isinstance(status, int) or not (status == 0 or 400 <= status < 500):
        raise ControlError(400, "status must be 0 or one of 400 to 499.")
    _user(request).refusal = status
    return _done(request.app[WORLD])


async def _removed(request: web.Request) -> web.Response:
    await fields_sent(request)
    return _changed_in_directory(request, _user(request), removed=True)


def _changed_in_directory(request: web.Request, user: TeamsUser, **changes: bool) -> web.Response:
    world = request.app[WORLD]
    world.saved.directory_version += 1
    user.changed = world.saved.directory_version
    for name, value in changes.items():
        setattr(user, name, value)
    return _done(world)


async def _member(request: web.Request) -> web.Response:
    """Put a user or group into a group, or take it out."""
    fields = await fields_sent(request, "id", "on")
    group, name = request.app[WORLD].group(request.match_info["group"]), text(fields, "id")
    if group is None:
        raise ControlError(404, "There is no such group.")
    group.members = [each for each in group.members if each != name] + [name] * flag(fields, "on")
    return _done(request.app[WORLD])


def routes() -> list[web.RouteDef]:
    user = f"{PREFIX}/teams/{{user}}"
    return [
        web.post(f"{user}/client", _client),
        web.post(f"{user}/chosen", _chosen),
        web.post(f"{user}/enabled", _enabled),
        web.post(f"{user}/refusal", _refusal),
        web.post(f"{user}/removed", _removed),
        web.post(f"{PREFIX}/groups/{{group}}/members", _member),
    ]
