"""The directory read by the real msgraph-sdk, over the wire."""

import asyncio
import gzip
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from core.clock import utc_now
from core.metrics import Metrics
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.services import UserChange
from sync.teams.directory import GraphDirectory, open_directory
from sync.teams.tokens import Tokens
from tests.support.services.delta_query import changes_of
from tests.support.sync.error_output import error_output
from tests.support.sync.stub_server import Reply, StubServer, stub_server
from tests.support.sync.teams import CountedTokens

USERS = "GET /v1.0/users/delta()"
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
    directory: GraphDirectory
    registry: CollectorRegistry

    def page(self, *users: Any) -> dict[str, Any]:
        """The last page of these users."""
        return {"value": list(users), "@odata.deltaLink": f"{self.graph.url}/v1.0/users/delta()?$deltatoken=next"}


def opened(
    tokens: Tokens, url: str, registry: CollectorRegistry | None = None
) -> AbstractAsyncContextManager[GraphDirectory]:
    return open_directory(tokens, url, utc_now, Metrics(registry or CollectorRegistry()))


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    tokens, registry = CountedTokens(), CollectorRegistry()
    async with stub_server() as graph, opened(tokens, graph.url + "/", registry) as directory:
        yield Bench(graph, tokens, directory, registry)


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


async def test_people_of_all_pages_with_what_graph_says_of_each(bench: Bench) -> None:
    link = f"{bench.graph.url}/v1.0/users/delta()?$skiptoken=a%2Bb"
    bare = {"id": "u2", "displayName": None, "mail": None, "accountEnabled": False, "userType": "Guest"}
    removed = {"id": "u4", "@removed": {"reason": "deleted"}}
    bench.graph.on(
        USERS,
        {"value": [ANA], "@odata.nextLink": link},
        {"value": [], "@odata.nextLink": link + "c"},
        bench.page(bare, {"displayName": "no id"}, {"id": "u3", "something": "new"}, "noise", removed),
    )
    people = await changes_of(bench.directory)
    addresses = ("ana.silva@contoso.example", "as@contoso.example")
    ana = {"principal_name": "ana@contoso.example", "mail": "Ana.Silva@contoso.example", "enabled": True}
    assert people == [
        UserChange("u1", {**ana, "proxy_addresses": addresses}),
        UserChange("u2", {"mail": "", "enabled": False, "guest": True}),
        UserChange("u3", {}),
        UserChange("u4", {}, is_removed=True),
    ]
    first, second, _ = bench.graph.seen
    assert parse_qs(first.path.partition("?")[2]) == {
        "$select": ["id,userPrincipalName,mail,proxyAddresses,accountEnabled,userType"]
    }
    assert second.path == "/v1.0/users/delta()?$skiptoken=a%2Bb"
    assert second.headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize("last", [{}, {"@odata.nextLink": None}, {"@odata.deltaLink": ""}, {"@odata.deltaLink": 7}])
async def test_a_list_without_its_last_page_is_not_taken_for_whole(bench: Bench, last: dict[str, Any]) -> None:
    bench.graph.on(USERS, {"value": [ANA], **last})
    assert (await failure_of(changes_of(bench.directory))).fault is Fault.GRAPH_UNREADABLE


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_link_that_is_no_longer_known_has_its_status(bench: Bench, status: int) -> None:
    bench.graph.on(USERS, Reply({"error": {"code": "syncStateNotFound"}}, status))
    link = f"{bench.graph.url}/v1.0/users/delta()?$deltatoken=old"
    error = await failure_of(bench.directory.changes(link))
    assert (error.fault, error.context["status"]) == (Fault.GRAPH_REFUSED, status)
    elsewhere = await failure_of(bench.directory.changes("https://evil.example/v1.0/users/delta()"))
    assert elsewhere.context["status"] == 400
    assert len(bench.graph.seen) == 1


@pytest.mark.parametrize(
    "link", ["https://evil.example/v1.0/users?x=1", "http://127.0.0.1:1/v1.0/users", "users?x"]
)
async def test_a_next_page_on_another_host_is_not_requested(bench: Bench, link: str) -> None:
    bench.graph.on(USERS, {"value": [], "@odata.nextLink": link})
    error = await failure_of(changes_of(bench.directory))
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.GRAPH_UNREADABLE)
    assert len(bench.graph.seen) == 1


@pytest.mark.parametrize("field", ["mail", "userPrincipalName", "proxyAddresses"])
@pytest.mark.parametrize("value", [7, {}, ["x", 7]])
async def test_fields_of_another_type_are_ignored(bench: Bench, field: str, value: object) -> None:
    bench.graph.on(USERS, bench.page({**ANA, field: value}))
    (ana,) = await changes_of(bench.directory)
    assert ana.id == "u1"
    texts = (ana.fields["mail"], ana.fields["principal_name"], *ana.fields["proxy_addresses"])
    assert all(isinstance(text, str) for text in texts)


async def test_a_full_page_does_not_block_the_event_loop(bench: Bench) -> None:
    bench.graph.on(USERS, bench.page(*[ANA] * 999))
    ticks = await _ticks_during(changes_of(bench.directory))
    assert max(ticks) < 1


async def _ticks_during(call: Awaitable[Any]) -> list[float]:
    """How long the event loop computed in each of its turns while ``call`` ran, in seconds of its thread."""
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            start = time.thread_time()
            await asyncio.sleep(0.001)
            ticks.append(time.thread_time() - start)

    ticking = asyncio.create_task(tick())
    try:
        await call
        await asyncio.sleep(0.01)
    finally:
        ticking.cancel()
    return ticks


async def test_pages_that_link_to_each_other_end(bench: Bench) -> None:
    bench.graph.on(USERS, {"value": [ANA], "@odata.nextLink": f"{bench.graph.url}/v1.0/users/delta()?again"})
    assert (await failure_of(changes_of(bench.directory))).fault is Fault.GRAPH_UNREADABLE
    assert len(bench.graph.seen) == 2


async def test_a_refused_token_is_replaced_once(bench: Bench) -> None:
    bench.graph.on(USERS, Reply({"error": {"code": "InvalidAuthenticationToken"}}, 401), Reply(bench.page(ANA)))
    assert len(await changes_of(bench.directory)) == 1
    assert [seen.headers["authorization"] for seen in bench.graph.seen] == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply({"value": []}), "ok"),
        (Reply({}, 302), "ok"),
        (Reply({}, 403), "refused"),
        (Reply({}, 429), "throttled"),
        (Reply({}, 503), "unavailable"),
        (Reply(hang_up=True), "failed"),
    ],
)
async def test_the_sdks_requests_are_counted_and_timed_like_all_others(
    bench: Bench, reply: Reply, outcome: str
) -> None:
    bench.graph.on(USERS, reply)
    with suppress(SyncError):
        await changes_of(bench.directory)
    count = bench.registry.get_sample_value
    assert count("cloudlink_presence_requests_total", {"service": "graph", "outcome": outcome}) == 1
    assert count("cloudlink_presence_request_seconds_count", {"service": "graph"}) == 1


async def test_each_of_the_sdks_requests_has_its_own_id(bench: Bench) -> None:
    bench.graph.on(USERS, Reply(ERROR, 401), Reply(bench.page()))
    await changes_of(bench.directory)
    ids = [seen.headers["client-request-id"] for seen in bench.graph.seen]
    assert len(ids) == len(set(ids)) == 2
    assert all(ids)


async def test_a_refusal_is_logged_with_the_ids_that_find_it(bench: Bench) -> None:
    bench.graph.on(USERS, Reply(ERROR, 403, {"request-id": "theirs"}))
    with capture_logs() as logs:
        error = await failure_of(changes_of(bench.directory))
    assert error.context == {"status": 403, "error": "Authorization_RequestDenied"}
    (seen,) = bench.graph.seen
    sent = seen.headers["client-request-id"]
    (line,) = logs
    assert (line["event"], line["status"], line["request_id"]) == ("graph_refused", 403, "theirs")
    assert line["client_request_id"] == sent


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
async def test_refusals_are_translated_and_not_retried(
    bench: Bench, body: Any, status: int, kind: type[SyncError], fault: Fault, asked: int
) -> None:
    bench.graph.on(USERS, Reply(body, status, {"Retry-After": "20"}))
    error = await failure_of(changes_of(bench.directory))
    is_named = fault is Fault.GRAPH_UNREADABLE and body == ERROR
    assert (type(error), error.fault) == (kind, Fault.GRAPH_REFUSED if is_named else fault)
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
        Reply(gzip.compress(b" " * 20_000_001), headers={"Content-Encoding": "gzip"}),
        Reply({"value": [ANA]}, 302, {"Location": "https://evil.example/"}),
    ],
)
async def test_unreadable_responses(bench: Bench, reply: Reply) -> None:
    bench.graph.on(USERS, reply)
    error = await failure_of(changes_of(bench.directory))
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.GRAPH_UNREADABLE)


async def test_a_lost_connection_and_no_server_at_the_address(bench: Bench) -> None:
    bench.graph.on(USERS, Reply(hang_up=True))
    assert (await failure_of(changes_of(bench.directory))).fault is Fault.GRAPH_UNREACHABLE
    async with opened(bench.tokens, "http://127.0.0.1:9") as nowhere:
        assert (await failure_of(nowhere.organisation())).fault is Fault.GRAPH_UNREACHABLE


async def test_errors_of_entra_are_passed_on(bench: Bench) -> None:
    class Refusing(CountedTokens):
        async def token(self) -> str:
            raise CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED, code=7000222)

    async with opened(Refusing(), bench.graph.url) as directory:
        error = await failure_of(changes_of(directory))
    assert (type(error), error.fault) == (CredentialsWrong, Fault.ENTRA_SECRET_EXPIRED)
    assert not bench.graph.seen


async def test_a_claims_challenge_leads_to_a_fresh_token(bench: Bench) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_claims", claims="eyJ9"'}
    bench.graph.on(USERS, Reply(ERROR, 401, challenge), Reply(bench.page()))
    assert await changes_of(bench.directory) == []
    assert bench.graph.seen[-1].headers["authorization"] == "Bearer token-2"


async def test_graph_by_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="this machine"):
        async with opened(CountedTokens(), "http://graph.example"):
            pass


async def test_no_failure_reveals_the_token(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    for reply in (Reply(ERROR, 403), Reply(hang_up=True), Reply(b"{")):
        bench.graph.on(USERS, reply)
        error = await failure_of(changes_of(bench.directory))
        assert "token-" not in error_output(error, caplog, capsys)


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sync.teams.directory, sync.teams.presence, sys; sys.exit('msgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
