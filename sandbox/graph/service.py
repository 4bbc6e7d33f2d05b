"""Graph's HTTP edge: the bearer, the body, and the way to the calls."""

from typing import Any

import orjson
from aiohttp import web

from sandbox import tokens
from sandbox.edge import BATCH, WORLD, json_response, origin
from sandbox.entra import GRAPH
from sandbox.graph import batch, calls
from sandbox.graph.answers import GraphAnswer, GraphCall, GraphRefusal, unreadable
from sandbox.state import World

PREFIX = "/v1.0"


def _roles(world: World, request: web.Request) -> frozenset[str]:
    """The roles in the caller's token. Raises ``GraphRefusal`` unless it opens this Graph."""
    header = request.headers.get("Authorization")
    if not header:
        raise GraphRefusal(401, "InvalidAuthenticationToken", "Access token is empty.")
    claims = tokens.read(world, header)
    registration = world.saved.registration
    if claims is None or claims.get("aud") not in (GRAPH, origin(request)) or not registration.usable:
        message = "Access token validation failure. Invalid audience, signature, application or lifetime."
        raise GraphRefusal(401, "InvalidAuthenticationToken", message)
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


async def _answer(request: web.Request, world: World) -> GraphAnswer:
    roles = _roles(world, request)
    if world.saved.trouble.graph_outage:
        raise GraphRefusal(503, "serviceNotAvailable", "Service unavailable.")
    path = "/" + request.match_info["path"]
    call = GraphCall(
        request.method, path, dict(request.query), await _body(request), origin(request) + PREFIX, roles
    )
    if path != "/$batch":
        return calls.answer(world, call)
    if call.method != "POST":
        raise GraphRefusal(
            405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
        )
    answer, request[BATCH] = batch.run(world, call, calls.answer)
    return answer


async def graph(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        answer = await _answer(request, world)
    except GraphRefusal as refusal:
        answer = refusal.answer(world)
    headers = {"request-id": world.new_id(), **answer.headers}
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    return json_response(answer.body, answer.status, headers)


def routes() -> list[web.RouteDef]:
    return [web.route("*", PREFIX + "/{path:.*}", graph)]
