"""A real HTTP server on loopback that returns what a test sets and records its requests."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.services.servers import serving

JSON_LIMIT = 10_000_000
BY_ANOTHER_CLOCK = {"Date": "Sat, 01 Mar 2025 12:00:00 GMT", "Retry-After": "Sat, 01 Mar 2025 12:00:09 GMT"}
"""Headers of a service whose clock is far behind ours: nine seconds to wait."""


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as received; ``path`` is undecoded and includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``body`` is JSON unless it is bytes; ``hang_up`` closes the connection without a response."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass
class StubServer:
    """Answers by method and path (without query), after ``delay`` seconds; the last of several repeats."""

    url: str = ""
    seen: list[ReceivedRequest] = field(default_factory=list)
    delay: float = 0
    concurrent: int = 0
    max_concurrent: int = 0
    _answers: defaultdict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))

    def on(self, route: str, *replies: Reply | dict[str, Any]) -> None:
        """``route`` is such as ``GET /users``."""
        self._answers[route] = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]

    def asked(self, route: str) -> list[ReceivedRequest]:
        return [seen for seen in self.seen if f"{seen.method} {seen.path.partition('?')[0]}" == route]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            await asyncio.sleep(self.delay)
            return await self._answered(request)
        finally:
            self.concurrent -= 1

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(ReceivedRequest(request.method, request.raw_path, headers, await request.read()))
        replies = self._answers[f"{request.method} {request.raw_path.partition('?')[0]}"]
        reply = (replies.pop(0) if len(replies) > 1 else replies[0]) if replies else Reply({}, 404)
        if reply.hang_up and request.transport:
            request.transport.abort()
        if isinstance(reply.body, bytes):
            return web.Response(body=reply.body, status=reply.status, headers=reply.headers)
        text = "" if reply.body is None else json.dumps(reply.body)
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(text=text, status=reply.status, headers=headers)


@asynccontextmanager
async def stub_server() -> AsyncIterator[StubServer]:
    stub = StubServer()
    app = web.Application(client_max_size=JSON_LIMIT)
    app.router.add_route("*", "/{path:.*}", stub.answer)
    async with serving(app) as stub.url:
        yield stub
