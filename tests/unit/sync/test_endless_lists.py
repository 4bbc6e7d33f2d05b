"""Lists that never end, from real servers: an error in bounded pages, bytes and time, and never a shorter list."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sync.cloudlink import client as cloudlink_client
from sync.cloudlink.client import CloudLink
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import Transport
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.services import ListLimits
from sync.people import delta_pages
from sync.teams.directory import open_directory
from tests.support.services.delta_query import changes_of
from tests.support.services.servers import TestServer
from tests.support.sync.cloudlink import ACCOUNT, page, token_reply
from tests.support.sync.teams import CountedTokens

Body = Callable[[web.Request, str, int], Awaitable[web.StreamResponse]]
Read = Callable[[str], Awaitable[object]]


def cloudlink_page(url: str, number: int, filling: str = "") -> dict[str, Any]:
    return page({"userId": f"u{number}", "name": filling}, following=f"{url}?page={number + 1}")


def graph_page(url: str, number: int, filling: str = "") -> dict[str, Any]:
    return {"value": [{"id": f"u{number}", "displayName": filling}], "@odata.nextLink": f"{url}?page={number + 1}"}


async def cloudlink_people(url: str) -> object:
    async with aiohttp.ClientSession() as http:
        transport = Transport(http, utc_now, Random(1))
        return await CloudLink(transport, url + "/{service}", ACCOUNT, WireTables(), utc_now).users()


async def graph_people(url: str) -> object:
    async with open_directory(CountedTokens(), url, utc_now, Metrics(CollectorRegistry())) as directory:
        return await changes_of(directory)


CLOUDLINK = (cloudlink_client, cloudlink_page, cloudlink_people, Fault.CLOUDLINK_LIST_TOO_LONG)
GRAPH = (delta_pages, graph_page, graph_people, Fault.GRAPH_LIST_TOO_LONG)
both_services = pytest.mark.parametrize(("module", "page_of", "read", "fault"), [CLOUDLINK, GRAPH])


@asynccontextmanager
async def service(body: Body) -> AsyncIterator[tuple[str, list[int]]]:
    """A server whose list has any number of pages; yields its address, and the pages that were requested."""
    numbers, asked = count(1), list[int]()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/token"):
            return web.json_response(token_reply())
        asked.append(next(numbers))
        return await body(request, str(request.url.with_query(None)), asked[-1])

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/"), asked


async def failure(read: Read, url: str) -> ServiceUnavailable:
    with pytest.raises(ServiceUnavailable) as caught:
        await read(url)
    return caught.value


@both_services
async def test_endless_pages(
    monkeypatch: pytest.MonkeyPatch, module: Any, page_of: Any, read: Read, fault: Fault
) -> None:
    monkeypatch.setattr(module, "LIMITS", ListLimits(pages=5))

    async def body(_: web.Request, url: str, number: int) -> web.StreamResponse:
        return web.json_response(page_of(url, number))

    async with service(body) as (url, asked):
        error = await failure(read, url)
    assert (error.fault, error.context, len(asked)) == (fault, {"pages": 6}, 6)


@both_services
async def test_pages_of_endless_bytes(
    monkeypatch: pytest.MonkeyPatch, module: Any, page_of: Any, read: Read, fault: Fault
) -> None:
    monkeypatch.setattr(module, "LIMITS", ListLimits(size=3_000_000))

    async def body(_: web.Request, url: str, number: int) -> web.StreamResponse:
        return web.json_response(page_of(url, number, "x" * 1_000_000))

    async with service(body) as (url, asked):
        error = await failure(read, url)
    assert (error.fault, len(asked)) == (fault, 3)


@both_services
async def test_a_page_that_trickles_for_ever(
    monkeypatch: pytest.MonkeyPatch, module: Any, page_of: Any, read: Read, fault: Fault
) -> None:
    monkeypatch.setattr(module, "LIMITS", ListLimits(seconds=0.5))

    async def body(request: web.Request, url: str, number: int) -> web.StreamResponse:
        if number < 3:
            return web.json_response(page_of(url, number))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        return response

    async with service(body) as (url, asked):
        error = await failure(read, url)
    assert (error.fault, error.context, len(asked)) == (fault, {"pages": 2}, 3)


@both_services
async def test_an_answer_that_never_ends(module: Any, page_of: Any, read: Read, fault: Fault) -> None:
    async def body(request: web.Request, url: str, number: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        start = json.dumps(page_of(url, number))[:-1]
        with suppress(ConnectionError):
            await response.write(start.encode())
            while True:
                await response.write(b" " * 1_000_000)
        return response

    async with service(body) as (url, _):
        error = await failure(read, url)
    assert error.fault in {Fault.CLOUDLINK_UNREADABLE, Fault.GRAPH_UNREADABLE}


@both_services
@pytest.mark.parametrize("link", [5, ["x"], {"href": 7}, "/users?" + "x" * 9000])
async def test_a_next_link_that_cannot_be_read_is_not_the_end(
    module: Any, page_of: Any, read: Read, fault: Fault, link: object
) -> None:
    async def body(_: web.Request, url: str, number: int) -> web.StreamResponse:
        given = page_of(url, number)
        if module is cloudlink_client:
            given["_links"] = {"next": link}
        else:
            given["@odata.nextLink"] = link
        return web.json_response(given)

    async with service(body) as (url, _):
        error = await failure(read, url)
    assert error.fault in {Fault.CLOUDLINK_UNREADABLE, Fault.GRAPH_UNREADABLE}
