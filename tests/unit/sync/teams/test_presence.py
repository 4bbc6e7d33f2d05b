"""Presence written and read over the wire."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from core.clock import utc_now
from sync.domain.changes import Change, ClearPresence, Done, Failed, Refused, SetPresence, Throttled
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.presence import Presence
from sync.teams.graph_client import GraphClient
from sync.teams.presence import PresenceWriter
from tests.support.sync.stub_server import BY_ANOTHER_CLOCK, Reply, StubServer, stub_server
from tests.support.sync.teams import CountedTokens

BATCH = "POST /v1.0/$batch"
READ = "POST /v1.0/communications/getPresencesByUserId"
SET = SetPresence("u1", Presence.PRESENTING, 14_400)
GOOD = {"responses": [{"id": "0", "status": 200}]}


@dataclass
class Bench:
    graph: StubServer
    tokens: CountedTokens
    writer: PresenceWriter


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with stub_server() as graph, aiohttp.ClientSession() as http:
        tokens = CountedTokens()
        yield Bench(graph, tokens, PresenceWriter(GraphClient(http, graph.url + "/", tokens, utc_now), "client-1"))


async def failure_of(call: Awaitable[Any]) -> SyncError:
    with pytest.raises(SyncError) as caught:
        await call
    return caught.value


async def test_a_push_over_the_wire(bench: Bench) -> None:
    bench.graph.on(BATCH, GOOD)
    assert await bench.writer.push([SET]) == [Done()]
    (asked,) = bench.graph.asked(BATCH)
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.headers["content-type"] == "application/json"
    (request,) = asked.json["requests"]
    assert request["body"] == {
        "sessionId": "client-1",
        "availability": "DoNotDisturb",
        "activity": "Presenting",
        "expirationDuration": "PT4H",
    }


async def test_a_batch_holds_twenty_changes_and_none_sends_nothing(bench: Bench) -> None:
    changes: list[Change] = [ClearPresence(f"u{n}") for n in range(21)]
    with pytest.raises(ValueError, match="20"):
        await bench.writer.push(changes)
    assert await bench.writer.push([]) == []
    assert not bench.graph.seen
    bench.graph.on(BATCH, {"responses": [{"id": str(n), "status": 200} for n in range(20)]})
    assert await bench.writer.push(changes[:20]) == [Done()] * 20


async def test_after_a_refusal_the_next_push_has_a_fresh_token(bench: Bench) -> None:
    inner = {"responses": [{"id": "0", "status": 403, "body": {"error": {"code": "Forbidden"}}}]}
    bench.graph.on(BATCH, Reply(inner), Reply({}, 403), Reply(GOOD))
    assert await bench.writer.push([SET]) == [Refused(403, "Forbidden")]
    await failure_of(bench.writer.push([SET]))
    assert await bench.writer.push([SET]) == [Done()]
    assert [seen.headers["authorization"][-1] for seen in bench.graph.seen] == ["1", "2", "3"]


FORBIDDEN = {"status": 403, "body": {"error": {"code": "Forbidden"}}}


async def test_a_change_waits_by_graphs_clock_however_wrong_ours_is(bench: Bench) -> None:
    answer = {"id": "0", "status": 429, "headers": {"Retry-After": BY_ANOTHER_CLOCK["Retry-After"]}}
    bench.graph.on(BATCH, Reply({"responses": [answer]}, headers={"Date": BY_ANOTHER_CLOCK["Date"]}))
    assert await bench.writer.push([SET]) == [Throttled(9.0)]


@pytest.mark.parametrize("size", [1, 20])
async def test_only_a_token_without_the_role_makes_a_refusal_the_applications(bench: Bench, size: int) -> None:
    changes = [SetPresence(f"u{n}", Presence.IN_A_CALL, 3600) for n in range(size)]
    bench.graph.on(BATCH, {"responses": [{"id": str(n), **FORBIDDEN} for n in range(size)]})
    bench.tokens.roles = ["User.Read.All", "Presence.ReadWrite.All"]
    assert await bench.writer.push(changes) == [Refused(403, "Forbidden")] * size
    assert bench.tokens.number == 2
    bench.tokens.roles = ["User.Read.All"]
    outcomes = await bench.writer.push(changes)
    failures = [each.error for each in outcomes if isinstance(each, Failed)]
    assert {each.fault for each in failures} == {Fault.GRAPH_CONSENT_MISSING}
    assert (len(failures), failures[0].context) == (size, {"permissions": "Presence.ReadWrite.All"})


async def test_a_success_in_the_batch_proves_the_permission(bench: Bench) -> None:
    bench.tokens.roles = []
    bench.graph.on(BATCH, {"responses": [{"id": "0", "status": 200}, {"id": "1", **FORBIDDEN}]})
    assert await bench.writer.push([SET, ClearPresence("u2")]) == [Done(), Refused(403, "Forbidden")]


async def test_a_throttled_change_is_an_outcome_of_its_own(bench: Bench) -> None:
    two = [{"id": "1", "status": 429, "headers": {"Retry-After": "3"}}, {"id": "0", "status": 200}]
    bench.graph.on(BATCH, {"responses": two})
    assert await bench.writer.push([SET, ClearPresence("u2")]) == [Done(), Throttled(3.0)]
    assert len(bench.graph.seen) == 1


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply({}, 503), Fault.GRAPH_UNREACHABLE),
        (Reply({}, 400), Fault.GRAPH_UNREADABLE),
        (Reply([]), Fault.GRAPH_UNREADABLE),
        (Reply(None, 204), Fault.GRAPH_UNREADABLE),
    ],
)
async def test_a_call_that_failed_as_a_whole(bench: Bench, reply: Reply, fault: Fault) -> None:
    for route, call in ((BATCH, bench.writer.push([SET])), (READ, bench.writer.read(["u1"]))):
        bench.graph.on(route, reply)
        error = await failure_of(call)
        assert (type(error), error.fault) == (ServiceUnavailable, fault)


async def test_reading_compares_without_case_and_keeps_unknown_words(bench: Bench) -> None:
    bench.graph.on(
        READ,
        {
            "value": [
                {"id": "U1", "availability": "busy", "activity": "inACall"},
                {"id": "u2", "availability": "Available", "activity": "focusing"},
                {"id": "stranger", "availability": "Away", "activity": "Away"},
                {"id": "u3"},
                "noise",
            ]
        },
    )
    assert await bench.writer.read(["u1", "u2", "u3", "u4"]) == {
        "u1": ("Busy", "InACall"),
        "u2": ("Available", "focusing"),
        "u3": ("", ""),
    }
    assert bench.graph.seen[0].json == {"ids": ["u1", "u2", "u3", "u4"]}


async def test_a_read_holds_650_people_and_none_sends_nothing(bench: Bench) -> None:
    with pytest.raises(ValueError, match="650"):
        await bench.writer.read([str(n) for n in range(651)])
    assert await bench.writer.read([]) == {}
    assert not bench.graph.seen


async def test_status_messages_are_read_from_any_shape_of_response(bench: Bench) -> None:
    def status(content: object) -> dict[str, Any]:
        return {"message": {"content": content, "contentType": "text"}}

    pinned = status("Back at three<pinnednote></pinnednote>")
    bench.graph.on(
        READ,
        {
            "value": [
                {"id": "U1", "statusMessage": status("On the phone")},
                {"id": "u2", "statusMessage": pinned},
                {"id": "u3", "statusMessage": None},
                {"id": "u4"},
                {"id": "u5", "statusMessage": status(5)},
                {"id": "u6", "statusMessage": {"message": "x"}},
                {"id": "stranger", "statusMessage": status("hello")},
            ]
        },
    )
    assert await bench.writer.messages(["u1", "u2", "u3", "u4", "u5", "u6", "u7"]) == {
        "u1": "On the phone",
        "u2": "Back at three",
        "u3": "",
        "u4": "",
        "u5": "",
        "u6": "",
    }
    with pytest.raises(ValueError, match="650"):
        await bench.writer.messages([str(n) for n in range(651)])
