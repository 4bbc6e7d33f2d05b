"""Where only a proxy leads out, every client of the process takes it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random

import aiohttp
import httpx
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from bot.hosting.auth.bot_token import NoToken
from bot.hosting.connector_http import ConnectorHttp
from core.clock import utc_now
from core.http.client import open_http, ssl_context
from core.http.proxies import settle_proxies
from core.metrics import Metrics
from sync.cloudlink.transport import Transport
from sync.domain.errors import SyncError
from sync.teams.directory import open_directory
from sync.teams.graph_client import GraphClient
from sync.teams.msal_http import MsalHttp
from tests.support.services.servers import TestServer
from tests.support.sync.teams import CountedTokens
from tests.wire.hosting.test_tls import self_signed

OUTSIDE = "service.test"
URL = f"https://{OUTSIDE}"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@asynccontextmanager
async def proxy(to: int | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """Its address and what it was asked for. It connects to the port ``to`` of this machine, or refuses."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            asked.append(head.partition("\r\n")[0])
            if to is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                back, there = await asyncio.open_connection("127.0.0.1", to)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(passed_on(reader, there), passed_on(back, writer))
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError):
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[int, list[str]]]:
    """The port of a server for ``OUTSIDE`` with its own certificate, and the requests it decrypted."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.host}{request.path}")
        return web.json_response({"value": [{"displayName": "Contoso"}]})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1", scheme="https")
    await server.start_server(ssl=self_signed(folder, OUTSIDE))
    try:
        yield server.port or 0, seen
    finally:
        await server.close()


async def cloudlink(http: aiohttp.ClientSession) -> object:
    return await Transport(http, utc_now, Random(1), sleep=no_sleep).send("GET", f"{URL}/accounts")


async def graph(http: aiohttp.ClientSession) -> object:
    return await GraphClient(http, URL, CountedTokens(), utc_now).request("GET", "/users")


async def directory(_: aiohttp.ClientSession) -> object:
    async with open_directory(CountedTokens(), URL, utc_now, Metrics(CollectorRegistry())) as found:
        return await found.organisation()


async def entra(_: aiohttp.ClientSession) -> object:
    return await asyncio.to_thread(MsalHttp(URL, 5).post, f"{URL}/token", data={})


async def teams(http: aiohttp.ClientSession) -> object:
    return await ConnectorHttp(http, NoToken()).request("POST", f"{URL}/v3/conversations", {}, b"{}")


async def no_sleep(_: float) -> None: ...


Client = Callable[[aiohttp.ClientSession], Awaitable[object]]
EVERY: tuple[Client, ...] = (cloudlink, graph, directory, entra, teams)
CLIENTS = pytest.mark.parametrize("client", EVERY)


@CLIENTS
async def test_every_client_takes_the_proxy(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as (url, asked):
        assert {line.split()[1] for line in await tried(client, url, "", asked, monkeypatch)} == {f"{OUTSIDE}:443"}


@CLIENTS
@pytest.mark.parametrize("but", [f"other.test,{OUTSIDE}", f".{OUTSIDE}", "*"])
async def test_no_client_takes_it_where_it_must_not(
    client: Client, but: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy() as (url, asked):
        assert await tried(client, url, but, asked, monkeypatch) == []


async def test_every_request_arrives_through_the_proxy_over_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All clients trust the certificates of one file, such as those of a proxy that opens TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    async with service(tmp_path) as (port, seen), proxy(port) as (url, asked):
        ssl_context.cache_clear()
        through(url, "", monkeypatch)
        async with open_http([]) as http:
            for client in EVERY:
                await client(http)
    ssl_context.cache_clear()
    assert set(asked) == {f"CONNECT {OUTSIDE}:443 HTTP/1.1"}
    assert len(asked) == 3, "aiohttp keeps its connection; Entra and the directory have their own"
    assert seen == [
        f"GET {OUTSIDE}/accounts",
        f"GET {OUTSIDE}/v1.0/users",
        f"GET {OUTSIDE}/v1.0/organization",
        f"POST {OUTSIDE}/token",
        f"POST {OUTSIDE}/v3/conversations",
    ]


def through(url: str, but: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment as a start of the bot does."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    environment = {"HTTPS_PROXY": url, "NO_PROXY": but}
    settle_proxies(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


async def tried(client: Client, url: str, but: str, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    through(url, but, monkeypatch)
    async with open_http([]) as http:
        with pytest.raises((SyncError, aiohttp.ClientError, httpx.HTTPError, OSError)):
            await client(http)
    return asked
