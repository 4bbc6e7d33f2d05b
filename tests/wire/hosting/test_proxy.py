"""Where only a proxy leads out, every client of the process takes it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import httpx
import pytest
from prometheus_client import CollectorRegistry

from app import open_http
from bot.hosting.auth.bot_token import NoToken
from bot.hosting.connector_http import ConnectorHttp
from core.clock import utc_now
from core.http.proxies import settle_proxies
from core.metrics import Metrics
from sync.cloudlink.transport import Transport
from sync.domain.errors import SyncError
from sync.teams.directory import open_directory
from sync.teams.graph_client import GraphClient
from sync.teams.msal_http import MsalHttp
from tests.support.sync.teams import CountedTokens

OUTSIDE = "service.test"
URL = f"https://{OUTSIDE}"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """Its address and what it was asked for; it opens no way to anywhere."""
    asked: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


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


CLIENTS = pytest.mark.parametrize("client", [cloudlink, graph, directory, entra, teams])
Client = Callable[[aiohttp.ClientSession], Awaitable[object]]


@CLIENTS
async def test_every_client_takes_the_proxy(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as (url, asked):
        assert {line.split()[1] for line in await tried(client, url, "", asked, monkeypatch)} == {f"{OUTSIDE}:443"}


@CLIENTS
async def test_no_client_takes_it_where_it_must_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as (url, asked):
        assert await tried(client, url, f"other.test,{OUTSIDE}", asked, monkeypatch) == []


async def tried(client: Client, url: str, but: str, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    environment = {"HTTPS_PROXY": url, "NO_PROXY": but}
    settle_proxies(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with open_http([]) as http:
        with pytest.raises((SyncError, aiohttp.ClientError, httpx.HTTPError, OSError)):
            await client(http)
    return asked
