"""The channel as small servers: a connector that records what the bot sends, and Entra for the bot's token."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.services.servers import serving


@dataclass(frozen=True, slots=True)
class Call:
    """One request the bot made."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def card(self) -> dict[str, Any]:
        content: dict[str, Any] = self.body["attachments"][0]["content"]
        return content


@dataclass
class Connector:
    """Plays ``serviceUrl``. ``answers`` are the statuses (with headers) to return first, before success.

    ``body``, when set, is what a success is answered with instead of an id. ``blocking`` are conversations
    that take no messages: 403. ``members_status``, other than 200, is how the roster answers.
    """

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    update_status: int = 200
    body: bytes | None = None
    blocking: set[str] = field(default_factory=set)
    members: list[dict[str, Any]] = field(default_factory=list)
    serves_one_member: bool = True
    members_status: int = 200

    def sent(self, method: str = "POST") -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def answer(self, status: int, **headers: str) -> None:
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}))

    async def _activities(self, request: web.Request) -> web.Response:
        self.calls.append(Call(request.method, request.raw_path, dict(request.headers), await request.json()))
        if self.answers:
            status, headers = self.answers.popleft()
            return web.Response(
                status=status, headers=headers, text="<html>not JSON</html>", content_type="text/html"
            )
        if request.match_info["conversation"] in self.blocking:
            return web.json_response({"error": {"code": "MessageWritesBlocked"}}, status=403)
        if request.method == "PUT" and self.update_status != 200:
            return web.Response(status=self.update_status)
        if self.body is not None:
            return web.Response(body=self.body, content_type="application/json")
        return web.json_response(
            {"id": f"posted-{len(self.calls)}"}, status=201 if request.method == "POST" else 200
        )

    async def _members(self, request: web.Request) -> web.Response:
        return self._roster(self.members)

    async def _member(self, request: web.Request) -> web.Response:
        wanted = request.match_info["member"]
        found = [member for member in self.members if member["id"] == wanted]
        if not self.serves_one_member or not (found or self.body or self.members_status != 200):
            return web.json_response({"error": {"code": "NotFound"}}, status=404)
        return self._roster(next(iter(found), {}))

    def _roster(self, answer: Any) -> web.Response:
        if self.members_status != 200:
            return web.Response(status=self.members_status)
        if self.body is not None:
            return web.Response(body=self.body, content_type="application/json")
        return web.json_response(answer)


@asynccontextmanager
async def open_connector() -> AsyncIterator[Connector]:
    connector = Connector()
    app = web.Application()
    app.router.add_post("/v3/conversations/{conversation}/activities", connector._activities)
    app.router.add_post("/v3/conversations/{conversation}/activities/{activity}", connector._activities)
    app.router.add_put("/v3/conversations/{conversation}/activities/{activity}", connector._activities)
    app.router.add_get("/v3/conversations/{conversation}/members", connector._members)
    app.router.add_get("/v3/conversations/{conversation}/members/{member}", connector._member)
    async with serving(app) as connector.url:
        yield connector


@dataclass
class BotEntra:
    """Gives the bot its token, as Entra and as a managed identity's endpoint; ``requests`` counts them.

    ``elsewhere``, when set, is the token endpoint it names; ``code`` is why it refuses.
    """

    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    refuse: bool = False
    code: int = 7000215
    fail: bool = False
    delay: float = 0.0
    lifetime: int = 3600
    elsewhere: str = ""

    async def _discovery(self, request: web.Request) -> web.Response:
        tenant = f"{self.url}/{request.match_info['tenant']}"
        return web.json_response(
            {
                "issuer": f"{tenant}/v2.0".replace("http://", "https://"),
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.requests.append({"path": request.path} | {name: str(value) for name, value in form.items()})
        await asyncio.sleep(self.delay)
        if self.elsewhere:
            return web.Response(status=307, headers={"Location": self.elsewhere + request.path})
        if self.fail:
            return web.Response(status=503)
        if self.refuse:
            refusal = {"error": "invalid_client", "error_description": f"AADSTS{self.code}: Refused."}
            return web.json_response(refusal, status=401)
        return web.json_response(
            {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": f"bot-token-{len(self.requests)}"}
        )

    async def _managed_identity(self, request: web.Request) -> web.Response:
        self.requests.append(dict(request.query))
        expires_on = 4_000_000_000
        return web.json_response(
            {"access_token": "msi-token", "expires_on": str(expires_on), "token_type": "Bearer"}
        )


@asynccontextmanager
async def open_bot_entra() -> AsyncIterator[BotEntra]:
    entra = BotEntra()
    app = web.Application()
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", entra._discovery)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", entra._token)
    app.router.add_get("/msi/token", entra._managed_identity)
    async with serving(app) as entra.url:
        yield entra
