"""The directory through the real msgraph-sdk, over the wire."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.teams.directory import Directory, TeamsUser, open_directory
from tests.support.sync.error_output import error_output
from tests.support.sync.stub_server import Reply, StubServer, stub_server
from tests.support.sync.teams import CountedTokens

USERS = "GET /v1.0/users"
ORGANISATION = "GET /v1.0/organization"
ANA = {
    "id": "u1",
    "displayName": "Ana",
    "userPrincipalName": "ana@contoso.example",
    "mail": "Ana.Silva@contoso.example",
    "accountEnabled": True,
    "proxyAddresses": ["SMTP:ana.silva@contoso.example", "smtp:as@contoso.example", "X500:/o=x"],
}


@dataclass
class Bench:
    graph: StubServer
    tokens: CountedTokens
    directory: Directory


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    tokens = CountedTokens()
    async with stub_server() as graph, open_directory(tokens, graph.url + "/") as directory:
        yield Bench(graph, tokens, directory)


async def failure_of(call: Awaitable[Any]) -> SyncError:
    with pytest.raises(SyncError) as caught:
        await call
    return caught.value


async def test_the_organisations_name(bench: Bench) -> None:
    bench.graph.on(ORGANISATION, {"value": [{"id": "t", "displayName": "Contoso"}]})
    assert await bench.directory.organisation() == "Contoso"
    (asked,) = bench.graph.seen
    assert asked.headers["authorization"] == "Bearer token-1"
    bench.graph.on(ORGANISATION, {"value": []})
    assert await bench.directory.organisation() == ""


async def test_people_of_all_pages(bench: Bench) -> None:
    link = f"{bench.graph.url}/v1.0/users?$skiptoken=a%2Bb"
    bare = {"id": "u2", "displayName": None, "mail": None, "accountEnabled": False}
    bench.graph.on(
        USERS,
        {"value": [ANA], "@odata.nextLink": link},
        {"value": [], "@odata.nextLink": link + "c"},
        {"value": [bare, {"displayName": "nobody"}, {"id": "u3", "something": "new"}, "noise"]},
    )
    people = await bench.directory.users()
    addresses = ("ana.silva@contoso.example", "as@contoso.example")
    assert people == [
        TeamsUser("u1", "Ana", "ana@contoso.example", "Ana.Silva@contoso.example", True, addresses),
        TeamsUser("u2", "", "", "", False),
        TeamsUser("u3", "", "", "", True),
    ]
    first, second, _ = bench.graph.seen
    assert parse_qs(first.path.partition("?")[2]) == {
        "$top": ["999"],
        "$select": ["id,displayName,userPrincipalName,mail,proxyAddresses,accountEnabled"],
    }
    assert second.path == "/v1.0/users?$skiptoken=a%2Bb"
    assert second.headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    "link", ["https://evil.example/v1.0/users?x=1", "http://127.0.0.1:1/v1.0/users", "users?x"]
)
async def test_a_next_page_elsewhere_is_not_asked_for(bench: Bench, link: str) -> None:
    bench.graph.on(USERS, {"value": [], "@odata.nextLink": link})
    error = await failure_of(bench.directory.users())
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.GRAPH_UNREADABLE)
    assert len(bench.graph.seen) == 1


@pytest.mark.parametrize("field", ["displayName", "mail", "userPrincipalName", "proxyAddresses"])
@pytest.mark.parametrize("value", [7, {}, ["x", 7]])
async def test_fields_of_another_type_are_passed_over(bench: Bench, field: str, value: object) -> None:
    bench.graph.on(USERS, {"value": [{**ANA, field: value}]})
    (ana,) = await bench.directory.users()
    assert ana.id == "u1"
    assert all(isinstance(text, str) for text in (ana.name, ana.mail, ana.principal_name, *ana.proxy_addresses))


async def test_a_full_page_does_not_hold_the_event_loop(bench: Bench) -> None:
    bench.graph.on(USERS, {"value": [ANA] * 999})
    ticks = await _ticks_during(bench.directory.users())
    assert max(ticks) < 1


async def _ticks_during(call: Awaitable[Any]) -> list[float]:
    """How long the event loop took for each of its turns while ``call`` ran, in seconds."""
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            ticks.append(time.perf_counter() - start)

    ticking = asyncio.create_task(tick())
    try:
        await call
        await asyncio.sleep(0.01)
    finally:
        ticking.cancel()
    return ticks


async def test_pages_in_a_circle_end(bench: Bench) -> None:
    bench.graph.on(USERS, {"value": [ANA], "@odata.nextLink": f"{bench.graph.url}/v1.0/users?again"})
    assert (await failure_of(bench.directory.users())).fault is Fault.GRAPH_UNREADABLE
    assert len(bench.graph.seen) == 2


async def test_a_refused_token_is_replaced_once(bench: Bench) -> None:
    bench.graph.on(USERS, Reply({"error": {"code": "InvalidAuthenticationToken"}}, 401), Reply({"value": [ANA]}))
    assert len(await bench.directory.users()) == 1
    assert [seen.headers["authorization"] for seen in bench.graph.seen] == ["Bearer token-1", "Bearer token-2"]


ERROR = {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}}
BODIES = [ERROR, b"<html>", None]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "kind", "fault", "asked"),
    [
        (401, CredentialsWrong, Fault.GRAPH_FORBIDDEN, 2),
        (403, CredentialsWrong, Fault.GRAPH_FORBIDDEN, 1),
        (404, ServiceUnavailable, Fault.GRAPH_UNREADABLE, 1),
        (429, ServiceUnavailable, Fault.GRAPH_THROTTLED, 1),
        (500, ServiceUnavailable, Fault.GRAPH_UNREACHABLE, 1),
        (503, ServiceUnavailable, Fault.GRAPH_UNREACHABLE, 1),
        (504, ServiceUnavailable, Fault.GRAPH_UNREACHABLE, 1),
    ],
)
async def test_refusals_at_once_and_without_a_retry(
    bench: Bench, body: Any, status: int, kind: type[SyncError], fault: Fault, asked: int
) -> None:
    bench.graph.on(USERS, Reply(body, status, {"Retry-After": "20"}))
    error = await failure_of(bench.directory.users())
    assert (type(error), error.fault) == (kind, fault)
    assert len(bench.graph.seen) == asked
    assert error.__context__ is None
    if isinstance(error, ServiceUnavailable) and status in {429, 503}:
        assert error.retry_after == 20.0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"{", headers={"Content-Type": "application/json"}),
        Reply(b"<html>", headers={"Content-Type": "text/html"}),
        Reply(b"\xff", headers={"Content-Type": "application/json"}),
        Reply(b"", headers={"Content-Type": "application/json"}),
        Reply({}),
        Reply({"value": None}),
        Reply({"value": {}}),
        Reply([]),
        Reply({"value": [ANA]}, 302, {"Location": "https://evil.example/"}),
    ],
)
async def test_answers_nobody_can_read(bench: Bench, reply: Reply) -> None:
    bench.graph.on(USERS, reply)
    error = await failure_of(bench.directory.users())
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.GRAPH_UNREADABLE)


async def test_a_lost_connection_and_nobody_there(bench: Bench) -> None:
    bench.graph.on(USERS, Reply(hang_up=True))
    assert (await failure_of(bench.directory.users())).fault is Fault.GRAPH_UNREACHABLE
    async with open_directory(bench.tokens, "http://127.0.0.1:9") as nowhere:
        assert (await failure_of(nowhere.organisation())).fault is Fault.GRAPH_UNREACHABLE


async def test_what_entra_says_comes_through(bench: Bench) -> None:
    class Refusing(CountedTokens):
        async def token(self) -> str:
            raise CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED, code=7000222)

    async with open_directory(Refusing(), bench.graph.url) as directory:
        error = await failure_of(directory.users())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.ENTRA_SECRET_EXPIRED)
    assert not bench.graph.seen


async def test_a_claims_challenge_brings_a_fresh_token(bench: Bench) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_claims", claims="eyJ9"'}
    bench.graph.on(USERS, Reply(ERROR, 401, challenge), Reply({"value": []}))
    assert await bench.directory.users() == []
    assert bench.graph.seen[-1].headers["authorization"] == "Bearer token-2"


async def test_graph_by_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="this machine"):
        async with open_directory(CountedTokens(), "http://graph.example"):
            pass


async def test_no_failure_tells_the_token(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    for reply in (Reply(ERROR, 403), Reply(hang_up=True), Reply(b"{")):
        bench.graph.on(USERS, reply)
        error = await failure_of(bench.directory.users())
        assert "token-" not in error_output(error, caplog, capsys)


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sync.teams.directory, sync.teams.presence, sys; sys.exit('msgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
