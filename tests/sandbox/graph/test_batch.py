from typing import Any

import pytest

from sandbox.state import World
from tests.sandbox.callers import Answer, Graph
from tests.support.clocks import FakeClock

JSON = {"Content-Type": "application/json"}


def set_presence(world: World, user: str, id_: str = "1", **differences: Any) -> dict[str, Any]:
    body = {
        "sessionId": world.saved.registration.client_id,
        "availability": "Busy",
        "activity": "InACall",
        "expirationDuration": "PT1H",
    }
    request = {
        "id": id_,
        "method": "POST",
        "url": f"/users/{user}/presence/setPresence",
        "headers": JSON,
        "body": body,
    }
    return request | differences


def read(id_: str, url: str = "/organization", **differences: Any) -> dict[str, Any]:
    return {"id": id_, "method": "GET", "url": url} | differences


def by_id(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    return {response["id"]: response for response in answer.body["responses"]}


async def test_twenty_calls_in_one(graph: Graph, world: World) -> None:
    users = [user.id for user in world.saved.teams][:20]
    answers = by_id(await graph.batch(*(set_presence(world, user, str(n)) for n, user in enumerate(users))))
    assert {id_: answer["status"] for id_, answer in answers.items()} == {str(n): 200 for n in range(20)}
    assert all("body" not in answer for answer in answers.values())
    assert [user.session is not None for user in world.saved.teams] == [True] * 20 + [False] * 7


async def test_responses_have_no_order(graph: Graph) -> None:
    answer = await graph.batch(*(read(str(n)) for n in range(20)))
    ids = [response["id"] for response in answer.body["responses"]]
    assert sorted(ids, key=int) == [str(n) for n in range(20)]
    assert ids != sorted(ids, key=int)


async def test_each_call_has_its_own_answer(graph: Graph, world: World, ana: str) -> None:
    wrong = set_presence(world, ana, "wrong")
    wrong["body"] = wrong["body"] | {"activity": "Busy"}
    answers = by_id(
        await graph.batch(
            set_presence(world, ana, "good"),
            wrong,
            read("lost", "/users/nobody"),
            read("list", "/users?$select=id"),
        )
    )
    assert {id_: answer["status"] for id_, answer in answers.items()} == {
        "good": 200,
        "wrong": 400,
        "lost": 404,
        "list": 200,
    }
    assert answers["wrong"]["body"]["error"]["code"] == "BadRequest"
    assert answers["list"]["headers"]["Content-Type"] == "application/json"
    assert answers["list"]["body"]["value"][0].keys() == {"id"}


@pytest.mark.parametrize(
    "requests",
    [
        [read(str(n)) for n in range(21)],
        [read("1"), read("1")],
        [read("1", "https://graph.microsoft.com/v1.0/organization")],
        [read("1", "//evil.example/organization")],
        [read("1", "organization")],
        [read("")],
        [{"id": 1, "method": "GET", "url": "/organization"}],
        [{"method": "GET", "url": "/organization"}],
        [{"id": "1", "url": "/organization"}],
        [read("1", method="BREW")],
        [read("1", method="POST", body={"a": 1})],
        [read("1", method="POST", body={"a": 1}, headers={"Accept": "application/json"})],
        [read("1", headers="x")],
        [read("1", dependsOn=["2"])],
        [read("1", dependsOn="2"), read("2")],
        [read("1", dependsOn=["1"])],
        [read("1", dependsOn=["2"]), read("2", dependsOn=["1"])],
        ["x"],
        [],
    ],
)
async def test_a_batch_that_breaks_a_rule_is_refused_as_a_whole(
    graph: Graph, world: World, requests: list[Any]
) -> None:
    answer = await graph.batch(*requests)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert world.journal.counts.batches == 0


@pytest.mark.parametrize("body", [[], {}, {"requests": {}}, None])
async def test_bodies_that_are_no_batch(graph: Graph, body: Any) -> None:
    assert (await graph.post("/$batch", body)).status == 400


async def test_the_content_types_name_is_read_without_case(graph: Graph, world: World, ana: str) -> None:
    request = set_presence(world, ana, headers={"content-type": "application/json"})
    assert by_id(await graph.batch(request))["1"]["status"] == 200


async def test_a_batch_in_a_batch_is_unknown(graph: Graph) -> None:
    request = read("1", "/$batch", method="POST", headers=JSON, body={"requests": [read("1")]})
    assert by_id(await graph.batch(request))["1"]["status"] == 400


async def test_each_inner_call_counts_and_may_be_throttled_alone(
    graph: Graph, world: World, clock: FakeClock
) -> None:
    await graph.sandbox.set_faults(graph_quota=12)
    users = [user.id for user in world.saved.teams][:20]
    requests = [set_presence(world, user, str(n)) for n, user in enumerate(users)]
    answers = by_id(await graph.batch(*requests))
    refused = {id_ for id_, answer in answers.items() if answer["status"] == 429}
    assert refused == {str(n) for n in range(12, 20)}
    assert {answers[id_]["headers"]["Retry-After"] for id_ in refused} == {"30"}
    assert answers["19"]["body"]["error"]["code"] == "TooManyRequests"
    clock.advance(seconds=30)
    again = by_id(await graph.batch(*(request for request in requests if request["id"] in refused)))
    assert {answer["status"] for answer in again.values()} == {200}
    assert (await graph.sandbox.state())["counts"]["throttled"] == 8


async def test_a_forced_throttle_shows_inside(graph: Graph, world: World, ana: str) -> None:
    await graph.sandbox.set_faults(graph_throttle=True, retry_after=4)
    answer = by_id(await graph.batch(set_presence(world, ana)))["1"]
    assert (answer["status"], answer["headers"]["Retry-After"]) == (429, "4")


async def test_an_outage_fails_the_whole_batch(graph: Graph) -> None:
    await graph.sandbox.set_faults(graph_outage=True)
    assert (await graph.batch(read("1"))).status == 503


async def test_dependants_wait_and_fail_with_what_they_need(graph: Graph, world: World, ana: str) -> None:
    session = {"sessionId": world.saved.registration.client_id}
    clear = set_presence(world, ana, "clear", url=f"/users/{ana}/presence/clearPresence", body=session)
    first = await graph.batch(clear | {"dependsOn": ["set"]}, set_presence(world, ana, "set"))
    assert {id_: each["status"] for id_, each in by_id(first).items()} == {"clear": 200, "set": 200}
    chain = [
        read("third", dependsOn=["second"]),
        read("second", dependsOn=["first"]),
        read("first", "/users/nobody"),
    ]
    second = await graph.batch(*chain)
    assert {id_: each["status"] for id_, each in by_id(second).items()} == {
        "first": 404,
        "second": 424,
        "third": 424,
    }


async def test_the_journal_keeps_the_calls_in_order(graph: Graph, world: World, ana: str) -> None:
    await graph.sandbox.clear_log()
    await graph.batch(set_presence(world, ana, "b"), read("a", "/users/nobody"))
    (entry,) = await graph.sandbox.log()
    assert (entry["service"], entry["method"], entry["path"], entry["status"]) == (
        "graph",
        "POST",
        "/v1.0/$batch",
        200,
    )
    assert [(call["method"], call["url"], call["status"]) for call in entry["batch"]] == [
        ("POST", f"/users/{ana}/presence/setPresence", 200),
        ("GET", "/users/nobody", 404),
    ]
    assert entry["batch"][0]["body"]["activity"] == "InACall"
