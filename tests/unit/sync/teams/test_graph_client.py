"""Requests to Graph over the wire: what is sent, what is retried, what is counted, and what a refusal means."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from core.http.metrics import tracing
from core.metrics import Metrics
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.teams.graph_client import LARGEST_ERROR, GraphClient
from tests.support.clocks import NOON
from tests.support.sync.stub_server import BY_ANOTHER_CLOCK, Reply, StubServer, stub_server
from tests.support.sync.teams import CountedTokens

ROUTE = "POST /v1.0/things"
FORBIDDEN = {"error": {"code": "Forbidden\n", "message": "Not for you"}}


@dataclass
class Bench:
    server: StubServer
    graph: GraphClient
    registry: CollectorRegistry

    async def ask(self) -> object:
        return await self.graph.request("POST", "/things", {"id": 1})

    async def failure(self) -> SyncError:
        with pytest.raises(SyncError) as caught:
            await self.ask()
        return caught.value

    def counted(self, outcome: str) -> float:
        labels = {"service": "graph", "outcome": outcome}
        return self.registry.get_sample_value("cloudlink_presence_requests_total", labels) or 0

    def bearers(self) -> list[str]:
        return [seen.headers["authorization"] for seen in self.server.seen]


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    registry = CollectorRegistry()
    async with (
        stub_server() as server,
        aiohttp.ClientSession(trace_configs=[tracing(Metrics(registry))]) as http,
    ):
        yield Bench(server, GraphClient(http, server.url + "/", CountedTokens(), lambda: NOON), registry)


async def test_a_request_as_it_goes_over_the_wire(bench: Bench) -> None:
    bench.server.on(ROUTE, {"answer": 42})
    assert await bench.ask() == {"answer": 42}
    (seen,) = bench.server.seen
    assert seen.json == {"id": 1}
    assert seen.headers["authorization"] == "Bearer token-1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["client-request-id"]


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_an_empty_success_is_none(bench: Bench, status: int) -> None:
    bench.server.on(ROUTE, Reply(None, status))
    assert await bench.ask() is None


async def test_a_refused_token_is_replaced_once_and_both_requests_are_counted(bench: Bench) -> None:
    bench.server.on(ROUTE, Reply({}, 401), Reply({}))
    assert await bench.ask() == {}
    assert bench.bearers() == ["Bearer token-1", "Bearer token-2"]
    assert len({seen.headers["client-request-id"] for seen in bench.server.seen}) == 2
    assert (bench.counted("refused"), bench.counted("ok")) == (1, 1)
    seconds = bench.registry.get_sample_value("cloudlink_presence_request_seconds_count", {"service": "graph"})
    assert seconds == 2


async def test_a_token_refused_twice_is_a_refusal(bench: Bench) -> None:
    bench.server.on(ROUTE, Reply({}, 401))
    error = await bench.failure()
    assert (type(error), error.fault, error.context) == (CredentialsWrong, Fault.GRAPH_FORBIDDEN, {"status": 401})
    assert len(bench.server.seen) == 2


async def test_a_forbidden_request_is_not_retried_but_the_next_one_has_a_fresh_token(bench: Bench) -> None:
    bench.server.on(ROUTE, Reply(FORBIDDEN, 403), Reply({}))
    error = await bench.failure()
    assert error.context == {"status": 403, "error": "Forbidden"}
    assert await bench.ask() == {}
    assert bench.bearers() == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("reply", "fault", "wait", "outcome"),
    [
        (Reply({}, 429, {"Retry-After": "30"}), Fault.GRAPH_THROTTLED, 30.0, "throttled"),
        (Reply({}, 429), Fault.GRAPH_THROTTLED, None, "throttled"),
        (Reply({}, 429, BY_ANOTHER_CLOCK), Fault.GRAPH_THROTTLED, 9.0, "throttled"),
        (Reply({}, 503, {"Retry-After": "1.5"}), Fault.GRAPH_UNREACHABLE, 1.5, "unavailable"),
        (Reply(b"x" * (LARGEST_ERROR + 1), 503), Fault.GRAPH_UNREACHABLE, None, "unavailable"),
        (Reply(b"<html>", 400), Fault.GRAPH_UNREADABLE, None, "refused"),
        (Reply({"error": {"code": "BadRequest"}}, 400), Fault.GRAPH_REFUSED, None, "refused"),
        (Reply({"error": {"code": "Conflict"}}, 409), Fault.GRAPH_REFUSED, None, "refused"),
        (Reply({}, 307, {"Location": "http://evil.example/"}), Fault.GRAPH_UNREADABLE, None, "ok"),
        (Reply(b"<html>"), Fault.GRAPH_UNREADABLE, None, "ok"),
        (Reply(b" " * 5_000_001), Fault.GRAPH_UNREADABLE, None, "ok"),
        (Reply(hang_up=True), Fault.GRAPH_UNREACHABLE, None, "failed"),
    ],
)
async def test_everything_else_is_for_the_caller_to_retry(
    bench: Bench, reply: Reply, fault: Fault, wait: float | None, outcome: str
) -> None:
    bench.server.on(ROUTE, reply)
    error = await bench.failure()
    assert isinstance(error, ServiceUnavailable)
    assert (error.fault, error.retry_after) == (fault, wait)
    assert error.__context__ is None
    assert len(bench.server.seen) == bench.counted(outcome) == 1


async def test_a_refusal_is_logged_with_the_ids_that_find_it(bench: Bench) -> None:
    bench.server.on(ROUTE, Reply(FORBIDDEN, 403, {"request-id": "theirs"}))
    with capture_logs() as logs:
        await bench.failure()
    sent = bench.server.seen[0].headers["client-request-id"]
    assert [(line["event"], line["status"], line["request_id"], line["client_request_id"]) for line in logs] == [
        ("graph_refused", 403, "theirs", sent)
    ]


async def test_what_entra_refuses_is_not_retried_and_no_reason_to_forget_the_token(bench: Bench) -> None:
    class Refusing(CountedTokens):
        async def token(self) -> str:
            raise CredentialsWrong(Fault.ENTRA_REFUSED, status=401)

    bench.graph.tokens = tokens = Refusing()
    assert (await bench.failure()).fault is Fault.ENTRA_REFUSED
    assert tokens.number == 1
    assert not bench.server.seen


async def test_no_server_at_the_address() -> None:
    async with aiohttp.ClientSession() as http:
        graph = GraphClient(http, "http://127.0.0.1:9", CountedTokens(), lambda: NOON)
        with pytest.raises(ServiceUnavailable) as caught:
            await graph.request("GET", "/things")
    assert caught.value.fault is Fault.GRAPH_UNREACHABLE
