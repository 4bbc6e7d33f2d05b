"""The other side of a measurement, in a process of its own: Entra and Graph that accept everything, and phones.

``POST /load`` posts the webhooks of so many changes and responds when Graph has been asked for all of them.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
from aiohttp import web

from tests.bench.change_load import BEGIN, END, Load, event_body

TOKEN = {"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token"}


class Peer:
    def __init__(self) -> None:
        self._accepted = 0
        self._progress = asyncio.Event()

    async def discovery(self, request: web.Request) -> web.Response:
        base = f"https://{request.host}/{request.match_info['tenant']}"
        ends = {f"{name}_endpoint": f"{base}/oauth2/v2.0/{name}" for name in ("authorization", "token")}
        return web.json_response({**ends, "issuer": f"{base}/v2.0"})

    async def token(self, _request: web.Request) -> web.Response:
        return web.json_response(TOKEN)

    async def batch(self, request: web.Request) -> web.Response:
        requests = orjson.loads(await request.read())["requests"]
        self._accepted += len(requests)
        self._progress.set()
        body = {"responses": [{"id": each["id"], "status": 200, "headers": {}} for each in requests]}
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def load(self, request: web.Request) -> web.Response:
        load = Load(**await request.json())
        self._accepted = 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as calls:
            for number in range(load.changes):
                await asyncio.sleep(max(0.0, began + number / load.per_second - loop.time()))
                person, turn = number % load.people, load.first + number // load.people
                calls.create_task(self._change(http, load, person, turn))
        async with asyncio.timeout(60):
            while self._accepted < load.changes:
                self._progress.clear()
                await self._progress.wait()
        return web.json_response({"seconds": loop.time() - began})

    async def _change(self, http: aiohttp.ClientSession, load: Load, person: int, turn: int) -> None:
        """A call begins, or ends: its events one after the other."""
        states: Sequence[str] = END if turn % 2 else BEGIN
        for state in states:
            body = event_body(person, f"call {turn // 2}", state, uuid4().hex)
            async with http.post(load.url, data=orjson.dumps(body)) as response:
                if response.status != 202:
                    raise RuntimeError(response.status)


def main() -> None:
    peer, application = Peer(), web.Application()
    routes: list[tuple[str, Any]] = [
        ("/load", peer.load),
        ("/v1.0/$batch", peer.batch),
        ("/{tenant}/oauth2/v2.0/token", peer.token),
    ]
    for path, handler in routes:
        application.router.add_post(path, handler)
    application.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", peer.discovery)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
