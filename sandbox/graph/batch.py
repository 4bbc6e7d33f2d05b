"""``$batch``: up to twenty calls in one request (Microsoft Graph: JSON batching)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.graph.responses import GraphCall, GraphError, GraphResponse, bad_request
from sandbox.state import World

MOST_CALLS = 20
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})

Handle = Callable[[World, GraphCall], GraphResponse]


@dataclass(frozen=True)
class BatchRequest:
    """One request of a batch, checked."""

    id: str
    method: str
    url: str
    body: Any
    client_request_id: str
    depends_on: tuple[str, ...]


def _invalid(message: str) -> GraphError:
    return bad_request(f"Invalid batch payload format. {message}".strip())


def parse(payload: Any) -> list[BatchRequest]:
    """The requests of a batch. Raises ``GraphError`` for the batch as a whole."""
    requests = payload.get("requests") if isinstance(payload, dict) else None
    if not isinstance(requests, list) or not requests:
        raise _invalid("")
    if len(requests) > MOST_CALLS:
        raise bad_request(f"Number of batch request steps exceeds the maximum value of {MOST_CALLS}.")
    inner = [_parse_one(each) for each in requests]
    ids = [each.id for each in inner]
    if len(set(ids)) < len(ids):
        raise _invalid("Request ids must be unique.")
    _check_dependencies(inner)
    return inner


def _parse_one(request: Any) -> BatchRequest:
    if not isinstance(request, dict):
        raise _invalid("")
    id_, method, url = request.get("id"), request.get("method"), request.get("url")
    if not (isinstance(id_, str) and id_ and isinstance(url, str) and isinstance(method, str)):
        raise _invalid("Each request needs an id, a method and a url.")
    if method.upper() not in _METHODS:
        raise _invalid("Unknown method.")
    if not url.startswith("/") or url.startswith("//"):
        raise _invalid("Request urls must be relative.")
    headers = _headers(request)
    if request.get("body") is not None and "content-type" not in headers:
        raise _invalid("A request with a body needs a Content-Type header.")
    named = str(headers.get("client-request-id", ""))[:100]
    return BatchRequest(id_, method.upper(), url, request.get("body"), named, _dependencies(request))


def _headers(request: dict[str, Any]) -> dict[str, Any]:
    headers = request.get("headers") or {}
    if not isinstance(headers, dict):
        raise _invalid("Headers must be an object.")
    return {name.lower(): value for name, value in headers.items()}


def _dependencies(request: dict[str, Any]) -> tuple[str, ...]:
    depends_on = request.get("dependsOn") or []
    if not isinstance(depends_on, list) or not all(isinstance(each, str) for each in depends_on):
        raise _invalid("dependsOn must be a list of ids.")
    return tuple(depends_on)


def _check_dependencies(inner: list[BatchRequest]) -> None:
    """A request may depend on others of its batch, without a cycle."""
    waiting = {each.id: set(each.depends_on) for each in inner}
    if any(not wanted <= waiting.keys() for wanted in waiting.values()):
        raise _invalid("dependsOn names an unknown id.")
    while free := [id_ for id_, wanted in waiting.items() if not wanted]:
        for id_ in free:
            del waiting[id_]
        for wanted in waiting.values():
            wanted.difference_update(free)
    if waiting:
        raise _invalid("dependsOn runs in a circle.")


def run(world: World, outer: GraphCall, handle: Handle) -> tuple[GraphResponse, list[dict[str, Any]]]:
    """The responses in random order, and a record of each call in the order given."""
    inner = parse(outer.body)
    answers: dict[str, GraphResponse] = {}
    waiting = list(inner)
    while waiting:
        for each in [each for each in waiting if set(each.depends_on) <= answers.keys()]:
            answers[each.id] = _run_one(world, outer, each, answers, handle)
            waiting.remove(each)
    world.journal.counts.batches += 1
    responses = [_response_json(id_, answer) for id_, answer in answers.items()]
    world.random.shuffle(responses)
    record = [
        {
            "method": each.method,
            "url": each.url,
            "body": each.body,
            "status": answers[each.id].status,
            "clientRequestId": each.client_request_id,
        }
        for each in inner
    ]
    return GraphResponse(body={"responses": responses}), record


def _run_one(
    world: World, outer: GraphCall, inner: BatchRequest, answers: dict[str, GraphResponse], handle: Handle
) -> GraphResponse:
    if any(answers[id_].status >= 400 for id_ in inner.depends_on):
        return GraphError(424, "FailedDependency", "A request this one depends on failed.").response(world)
    parts = urlsplit(inner.url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return handle(world, GraphCall(inner.method, unquote(parts.path), query, inner.body, outer.base, outer.roles))


def _response_json(id_: str, answer: GraphResponse) -> dict[str, Any]:
    response: dict[str, Any] = {"id": id_, "status": answer.status, "headers": {"Cache-Control": "no-cache"}}
    response["headers"] |= answer.headers
    if answer.body is not None:
        response["headers"]["Content-Type"] = "application/json"
        response["body"] = answer.body
    return response
