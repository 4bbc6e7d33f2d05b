from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from core.http.metrics import tracing
from core.metrics import Metrics
from sync.domain.model import Service
from tests.support.services.servers import TestServer


@dataclass
class Wire:
    url: str
    http: aiohttp.ClientSession
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def read(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"cloudlink_presence_{name}", labels) or 0


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    registry = CollectorRegistry()
    application = web.Application()
    application.router.add_get("/{status}", answer)
    async with (
        TestServer(application, host="127.0.0.1") as server,
        aiohttp.ClientSession(trace_configs=[tracing(Metrics(registry))]) as http,
    ):
        yield Wire(str(server.make_url("/")), http, registry)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (204, "ok"),
        (302, "ok"),
        (400, "refused"),
        (429, "throttled"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
async def test_a_request_is_counted_by_the_status_of_its_response(status: int, outcome: str) -> None:
    async with wire() as at:
        asking = at.http.get(f"{at.url}{status}", allow_redirects=False, trace_request_ctx=Service.GRAPH)
        async with asking:
            pass
        assert at.read("requests_total", service="graph", outcome=outcome) == 1
        assert at.read("request_seconds_count", service="graph") == 1
        assert at.read("request_seconds_count", service="cloudlink") == 0


async def test_a_failed_request_is_counted_and_one_without_a_service_is_other(unused_tcp_port: int) -> None:
    async with wire() as at:
        with pytest.raises(aiohttp.ClientError):
            await at.http.get(f"http://127.0.0.1:{unused_tcp_port}/")
        assert at.read("requests_total", service="other", outcome="failed") == 1
