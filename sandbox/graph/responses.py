"""A call to Graph and its response, alone or inside a ``$batch``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.state import World


@dataclass(frozen=True)
class GraphCall:
    """``path`` begins after ``/v1.0``, ``base`` ends with it; ``body`` is parsed JSON or None."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    base: str
    roles: frozenset[str] = frozenset()


@dataclass
class GraphResponse:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class GraphError(Exception):
    """A refused call, with Graph's own code and message."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, world: World) -> GraphResponse:
        request_id = world.new_id()
        inner = {
            "date": f"{world.now():%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": request_id,
        }
        error = {"code": self.code, "message": self.message, "innerError": inner}
        return GraphResponse(self.status, {"error": error}, dict(self.headers))


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    return GraphError(400, code, message)


def not_found(what: str) -> GraphError:
    message = (
        f"Resource '{what[:80]}' does not exist or one of its queried reference-property objects are not present."
    )
    return GraphError(404, "Request_ResourceNotFound", message)


def unreadable() -> GraphError:
    return bad_request(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid "
        "JSON format."
    )


def body_object(call: GraphCall) -> dict[str, Any]:
    """The body as an object. Raises ``GraphError``."""
    if not isinstance(call.body, dict):
        raise unreadable()
    return call.body


def iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
