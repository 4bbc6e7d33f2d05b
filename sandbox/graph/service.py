"""Graph's HTTP endpoint: checks the bearer token, reads the body, calls the router."""

from typing import Any

import orjson
from aiohttp import web

from sandbox.entra import tokens
from sandbox.entra.service import GRAPH
from sandbox.graph import batch, router
from sandbox.graph.responses import GraphCall, GraphError, GraphResponse, unreadable
from sandbox.http import BATCH, WORLD, json_response, origin
from sandbox.state import World

PREFIX = "/v1.0"


def _roles(world: World, request: web.Request) -> frozenset[str]:
    """The roles in the caller's token. Raises ``GraphError`` unless it is valid for this Graph."""
    header = request.headers.get("Authorization")
    if not header:
        raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty.")
    claims = tokens.read(world, header)
    registration = world.saved.registration
    if claims is None or claims.get("aud") not in (GRAPH, origin(request)) or not registration.usable:
        message = "Access token validation failure. Invalid audience, signature, application or lifetime."
        raise GraphError(401, "InvalidAuthenticationToken", message)
    return frozenset(claims.get("roles", ()))


async def _body(request: web.Request) -> Any:
    if not (content := await request.read()):
        return None
    try:
        if request.content_type != "application/json":
            raise ValueError(request.content_type)
        return orjson.loads(content)
    except ValueError:
        raise unreadable() from None


async def _respond(request: web.Request, world: World) -> GraphResponse:
    roles = _roles(world, request)
    if world.takes_refusal("graph"):
        raise GraphError(401, "InvalidAuthenticationToken", "Access token validation failure.")
    if world.saved.faults.graph_outage:
        raise GraphError(503, "serviceNotAvailable", "Service unavailable.")
    if world.saved.faults.graph_forbidden:
        raise GraphError(403, "Forbidden", "Access to this resource is blocked.")
    path = "/" + request.match_info["path"]
    call = GraphCall(
        request.method, path, dict(request.query), await _body(request), origin(request) + PREFIX, roles
    )
    if path != "/$batch":
        return router.handle(world, call)
    if call.method != "POST":
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    response, request[BATCH] = batch.run(world, call, router.handle)
    return response


async def graph(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        response = await _respond(request, world)
    except GraphError as error:
        response = error.response(world)
    headers = {"request-id": world.new_id(), **response.headers}
    if response.body is None:
        return web.Response(status=response.status, headers=headers)
    return json_response(response.body, response.status, headers)


def routes() -> list[web.RouteDef]:
    return [web.route("*", PREFIX + "/{path:.*}", graph)]
