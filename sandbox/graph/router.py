"""Routes a call to its handler; checks roles and counts the quota."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from re import Match, Pattern

from sandbox.graph import applications, directory, groups, presences
from sandbox.graph.responses import GraphCall, GraphError, GraphResponse, bad_request
from sandbox.state import World

Handler = Callable[[World, GraphCall, Match[str]], GraphResponse]

_PRESENCE = frozenset({"Presence.ReadWrite.All"})
_READ_PRESENCE = frozenset({"Presence.Read.All", "Presence.ReadWrite.All"})
_DIRECTORY = frozenset({"User.Read.All"})
_GROUPS = frozenset({"GroupMember.Read.All"})
_READ_APPS = frozenset({"Application.Read.All", "Application.ReadWrite.OwnedBy"})
_OWN_APPS = frozenset({"Application.ReadWrite.OwnedBy"})


@dataclass(frozen=True)
class Route:
    """A call that Graph supports; any one of ``roles`` suffices."""

    method: str
    path: Pattern[str]
    handler: Handler
    roles: frozenset[str]

    @property
    def counts_against_quota(self) -> bool:
        """Whether the call counts against the presence quota."""
        return self.roles in (_PRESENCE, _READ_PRESENCE)


def _route(method: str, path: str, handler: Handler, roles: frozenset[str]) -> Route:
    return Route(method, re.compile(path), handler, roles)


_USER = r"/users/(?P<id>[^/]+)"
_GROUP = r"/groups/(?P<id>[^/]+)"
_APPLICATION = r"/applications(?:\(appId='(?P<app>[^'/]+)'\)|/(?P<object>[^/()]+))"

ROUTES = (
    _route("GET", r"/users", directory.list_users, _DIRECTORY),
    _route("GET", r"/users/delta(?:\(\))?", directory.delta, _DIRECTORY),
    _route("GET", _USER, directory.get_user, _DIRECTORY),
    _route("GET", r"/groups", groups.list_groups, _GROUPS),
    _route("GET", _GROUP, groups.get_group, _GROUPS),
    _route("GET", _GROUP + "/transitiveMembers", groups.transitive_members, _GROUPS),
    _route("GET", r"/organization", directory.organization, _DIRECTORY),
    _route("GET", _APPLICATION, applications.get_application, _READ_APPS),
    _route("POST", _APPLICATION + "/addPassword", applications.add_password, _OWN_APPS),
    _route("POST", _APPLICATION + "/removePassword", applications.remove_password, _OWN_APPS),
    _route("GET", _USER + "/presence", presences.get_presence, _READ_PRESENCE),
    _route("POST", _USER + "/presence/setPresence", presences.set_presence, _PRESENCE),
    _route("POST", _USER + "/presence/clearPresence", presences.clear_presence, _PRESENCE),
    _route("POST", _USER + "/presence/setUserPreferredPresence", presences.set_preferred, _PRESENCE),
    _route("POST", _USER + "/presence/clearUserPreferredPresence", presences.clear_preferred, _PRESENCE),
    _route("POST", _USER + "/presence/setStatusMessage", presences.set_status_message, _PRESENCE),
    _route("POST", r"/communications/getPresencesByUserId", presences.get_presences, _READ_PRESENCE),
)


def handle(world: World, call: GraphCall) -> GraphResponse:
    """Graph's response to one call, alone or from a batch."""
    try:
        route, found = _find(call)
        _check_faults(world)
        _check_quota(world, route)
        _check_roles(world, call, route)
        return route.handler(world, call, found)
    except GraphError as error:
        return error.response(world)


def _find(call: GraphCall) -> tuple[Route, Match[str]]:
    path = call.path.rstrip("/")
    fitting = [(route, found) for route in ROUTES if (found := route.path.fullmatch(path))]
    if not fitting:
        raise bad_request(f"Resource not found for the segment '{path.strip('/').partition('/')[0][:60]}'.")
    for route, found in fitting:
        if route.method == call.method:
            return route, found
    raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def _check_faults(world: World) -> None:
    faults = world.saved.faults
    if faults.graph_throttle:
        raise _throttled(world, faults.retry_after)


def _check_quota(world: World, route: Route) -> None:
    if not route.counts_against_quota:
        return
    registration = world.saved.registration
    application = registration.client_id, registration.tenant_id
    if wait := world.quota.take(application, world.saved.faults.graph_quota, world.now().timestamp()):
        raise _throttled(world, wait)


def _throttled(world: World, seconds: int) -> GraphError:
    world.journal.counts.throttled += 1
    return GraphError(429, "TooManyRequests", "Too many requests.", {"Retry-After": str(seconds)})


def _check_roles(world: World, call: GraphCall, route: Route) -> None:
    consented = frozenset(world.saved.registration.roles)
    if not route.roles & call.roles & consented:
        message = "Insufficient privileges to complete the operation."
        raise GraphError(403, "Authorization_RequestDenied", message)
