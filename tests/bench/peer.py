"""The other side of a measurement, in a process of its own: Entra and Graph that accept everything, and phones.

``POST /load`` posts the webhooks of so many changes and responds when Graph has been asked for enough of them.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import aiohttp
import orjson
from aiohttp import web

from tests.bench.change_load import BEGIN, END, Load, Seen, event_body

TOKEN = {"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token"}
WINDOW = 30.0
NO_LOAD = Load("", 0, 1, 1, 0)


class Peer:
    def __init__(self) -> None:
        self._begin(NO_LOAD)

    def _begin(self, load: Load) -> None:
        self._load = load
        self._accepted: list[float] = []
        self._answered: list[float] = []
        self._shown: list[float] = []
        self._wanted: dict[str, float] = {}
        self._refused = 0
        self._posted: list[str] = []
        self._progress = asyncio.Event()

    async def discovery(self, request: web.Request) -> web.Response:
        base = f"https://{request.host}/{request.match_info['tenant']}"
        ends = {f"{name}_endpoint": f"{base}/oauth2/v2.0/{name}" for name in ("authorization", "token")}
        return web.json_response({**ends, "issuer": f"{base}/v2.0"})

    async def token(self, _request: web.Request) -> web.Response:
        return web.json_response(TOKEN)

    async def typed(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def batch(self, request: web.Request) -> web.Response:
        requests = orjson.loads(await request.read())["requests"]
        if self._is_over(len(requests)):
            self._refused += len(requests)
            answer: dict[str, Any] = {"status": 429, "headers": {"Retry-After": "10"}}
        else:
            self._accept(requests)
            answer = {"status": 200, "headers": {}}
        body = {"responses": [{"id": each["id"], **answer} for each in requests]}
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    def _is_over(self, requests: int) -> bool:
        quota, since = self._load.quota, asyncio.get_running_loop().time() - WINDOW
        if not quota:
            return False
        return sum(at > since for at in self._accepted[-quota:]) + requests > quota

    def _accept(self, requests: Sequence[dict[str, Any]]) -> None:
        now = asyncio.get_running_loop().time()
        self._accepted += [now] * len(requests)
        for each in requests:
            if began := self._wanted.pop(unquote(each["url"].split("/")[2]), None):
                self._shown.append(now - began)
        self._progress.set()

    async def load(self, request: web.Request) -> web.Response:
        load = Load(**await request.json())
        self._begin(load)
        loop = asyncio.get_running_loop()
        began = loop.time()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as calls:
            for number in range(load.changes):
                await asyncio.sleep(max(0.0, began + number / load.per_second - loop.time()))
                person, turn = number % load.people, load.first + number // load.people
                calls.create_task(self._change(http, load, person, turn))
        async with asyncio.timeout(120):
            while len(self._accepted) < (load.enough or load.changes):
                self._progress.clear()
                await self._progress.wait()
        seen = Seen(self._answered, self._shown, self._refused, self._share())
        return web.Response(body=orjson.dumps(asdict(seen)), content_type="application/json")

    def _share(self) -> float:
        quota = self._load.quota
        if not quota or len(self._accepted) <= quota:
            return 0.0
        later = [at - before for before, at in zip(self._accepted, self._accepted[quota:], strict=False)]
        return WINDOW * len(later) / sum(later)

    async def talk(self, request: web.Request) -> web.Response:
        """As Teams: ``people`` type ``text``, each in their own chat, in turns; returns what was posted."""
        talk, self._posted = await request.json(), []
        service_url = f"http://{request.host}"
        async with aiohttp.ClientSession() as http:
            for number in range(talk["people"]):
                typed = message(talk["text"], f"reader-{number}", service_url)
                await http.post(talk["url"], json=typed, raise_for_status=True)
        return web.json_response(self._posted)

    async def posted(self, request: web.Request) -> web.Response:
        message = await request.json()
        self._posted.append(message.get("summary") or message.get("text"))
        return web.json_response({"id": "posted"})

    async def _change(self, http: aiohttp.ClientSession, load: Load, person: int, turn: int) -> None:
        """A call begins, or ends: its events one after the other."""
        states: Sequence[str] = END if turn % 2 else BEGIN
        loop = asyncio.get_running_loop()
        for state in states[-1:] if load.brief else states:
            body = event_body(person, f"call {turn // 2}", state, uuid4().hex)
            began = loop.time()
            if state == states[-1]:
                self._wanted[f"teams {person}"] = began
            async with http.post(load.url, data=orjson.dumps(body)) as response:
                if response.status != 202:
                    raise RuntimeError(response.status)
            self._answered.append(loop.time() - began)


def message(text: str, person: str, service_url: str) -> dict[str, Any]:
    """What Teams posts when someone types in their own chat with the bot."""
    return {
        "type": "message",
        "id": uuid4().hex,
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": {"id": f"29:{person}", "name": person, "aadObjectId": person},
        "recipient": {"id": "28:bot", "name": "Bot"},
        "conversation": {"id": f"a:{person}", "conversationType": "personal", "tenantId": "t1"},
        "channelData": {"tenant": {"id": "t1"}},
        "locale": "en-US",
        "entities": [{"type": "clientInfo", "timezone": "Europe/Lisbon"}],
        "text": text,
    }


def main() -> None:
    peer, application = Peer(), web.Application()
    routes: list[tuple[str, Any]] = [
        ("/load", peer.load),
        ("/talk", peer.talk),
        ("/v3/conversations/{chat}/activities", peer.posted),
        ("/v3/conversations/{chat}/activities/{activity}", peer.posted),
        ("/v1.0/$batch", peer.batch),
        ("/v1.0/users/{user}/presence/setPresence", peer.typed),
        ("/{tenant}/oauth2/v2.0/token", peer.token),
    ]
    for path, handler in routes:
        application.router.add_post(path, handler)
    application.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", peer.discovery)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
