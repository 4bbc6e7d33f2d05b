from typing import Any

import pytest

from sandbox.state import World
from tests.sandbox.callers import Answer, Graph
from tests.support.clocks import FakeClock

IN_A_CALL = {"availability": "Busy", "activity": "InACall", "expirationDuration": "PT1H"}


async def set_presence(graph: Graph, user: str, **differences: Any) -> Answer:
    body = {"sessionId": graph.sandbox.world.saved.registration.client_id, **IN_A_CALL} | differences
    return await graph.post(f"/users/{user}/presence/setPresence", body)


async def clear_presence(graph: Graph, user: str) -> Answer:
    session = {"sessionId": graph.sandbox.world.saved.registration.client_id}
    return await graph.post(f"/users/{user}/presence/clearPresence", session)


async def seen(graph: Graph, user: str) -> tuple[str, str]:
    presence = (await graph.get(f"/users/{user}/presence")).body
    assert presence["id"] == user
    return presence["availability"], presence["activity"]


async def test_a_presence_is_set_seen_and_cleared(graph: Graph, ana: str) -> None:
    answer = await set_presence(graph, ana)
    assert (answer.status, answer.body) == (200, None)
    assert await seen(graph, ana) == ("Busy", "InACall")
    assert await graph.sandbox.shown("Ana Martins") == ("Busy", "InACall")
    assert (await clear_presence(graph, ana)).status == 200
    assert await seen(graph, ana) == ("Available", "Available")


async def test_clearing_nothing_is_not_found(graph: Graph, ana: str, clock: FakeClock) -> None:
    assert (await clear_presence(graph, ana)).status == 404
    await set_presence(graph, ana, expirationDuration="PT5M")
    clock.advance(minutes=5)
    assert (await clear_presence(graph, ana)).status == 404


@pytest.mark.parametrize(
    ("availability", "activity"),
    [
        ("Available", "Available"),
        ("Busy", "InACall"),
        ("Busy", "InAConferenceCall"),
        ("Away", "Away"),
        ("DoNotDisturb", "Presenting"),
    ],
)
async def test_the_five_pairs(graph: Graph, ana: str, availability: str, activity: str) -> None:
    await graph.sandbox.client("Ana Martins", None)
    assert (await set_presence(graph, ana, availability=availability, activity=activity)).status == 200
    assert await seen(graph, ana) == (availability, activity)


@pytest.mark.parametrize(
    "differences",
    [
        {"availability": "Busy", "activity": "Busy"},
        {"availability": "DoNotDisturb", "activity": "DoNotDisturb"},
        {"availability": "busy", "activity": "inACall"},
        {"availability": "Offline", "activity": "OffWork"},
        {"availability": None},
        {"activity": 5},
        {"expirationDuration": "1:00:00"},
        {"expirationDuration": 3600},
        {"expirationDuration": "PT4M59S"},
        {"expirationDuration": "PT4H1S"},
        {"sessionId": "11111111-2222-4333-8444-555555555555"},
        {"sessionId": ""},
        {"sessionId": None},
    ],
)
async def test_what_graph_refuses(graph: Graph, ana: str, differences: dict[str, Any]) -> None:
    answer = await set_presence(graph, ana, **differences)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert await seen(graph, ana) == ("Available", "Available")


@pytest.mark.parametrize("body", [None, [], "text", {}])
async def test_invalid_bodies(graph: Graph, ana: str, body: Any) -> None:
    assert (await graph.post(f"/users/{ana}/presence/setPresence", body)).status == 400


@pytest.mark.parametrize(("duration", "minutes"), [("PT5M", 5), ("PT4H", 240), ("PT1H30M", 90), (None, 5)])
async def test_a_session_ends_when_it_said(
    graph: Graph, ana: str, clock: FakeClock, duration: str | None, minutes: int
) -> None:
    await set_presence(graph, ana, expirationDuration=duration)
    clock.advance(seconds=minutes * 60 - 1)
    assert await graph.sandbox.shown("Ana Martins") == ("Busy", "InACall")
    clock.advance(seconds=1)
    assert await graph.sandbox.shown("Ana Martins") == ("Available", "Available")


async def test_available_fades_unless_it_is_sent_again(graph: Graph, ana: str, clock: FakeClock) -> None:
    await graph.sandbox.client("Ana Martins", None)
    available = {"availability": "Available", "activity": "Available", "expirationDuration": "PT4H"}
    await set_presence(graph, ana, **available)
    clock.advance(minutes=5)
    assert await seen(graph, ana) == ("AvailableInactive", "AvailableInactive")
    clock.advance(minutes=5)
    assert await seen(graph, ana) == ("Away", "Away")
    await set_presence(graph, ana, **available)
    assert await seen(graph, ana) == ("Available", "Available")


async def test_a_person_unknown_is_not_found(graph: Graph) -> None:
    assert (await set_presence(graph, "11111111-2222-4333-8444-555555555555")).status == 404
    assert (await set_presence(graph, "ana.martins@valeverde.example")).status == 404


async def test_a_preferred_presence_wins_until_it_is_cleared(graph: Graph, ana: str, clock: FakeClock) -> None:
    path = f"/users/{ana}/presence"
    await set_presence(graph, ana)
    body = {"availability": "DoNotDisturb", "activity": "DoNotDisturb"}
    assert (await graph.post(f"{path}/setUserPreferredPresence", body)).status == 200
    assert await seen(graph, ana) == ("DoNotDisturb", "DoNotDisturb")
    assert (await graph.post(f"{path}/clearUserPreferredPresence", {})).status == 200
    assert await seen(graph, ana) == ("Busy", "InACall")
    assert (await graph.post(f"{path}/setUserPreferredPresence", IN_A_CALL)).status == 400


async def test_a_status_message_is_set_and_ends(graph: Graph, ana: str, clock: FakeClock) -> None:
    path = f"/users/{ana}/presence/setStatusMessage"
    expiry = {"dateTime": "2026-03-02T09:10:00.0000000", "timeZone": "UTC"}
    message = {"message": {"content": "On the phone", "contentType": "text"}, "expiryDateTime": expiry}
    assert (await graph.post(path, {"statusMessage": message})).status == 200
    read = (await graph.get(f"/users/{ana}/presence")).body["statusMessage"]
    assert read["message"]["content"] == "On the phone"
    clock.advance(minutes=10)
    assert (await graph.get(f"/users/{ana}/presence")).body["statusMessage"] is None


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"message": {"content": "x" * 281}},
        {"message": {"content": "x", "contentType": "html"}},
        {"message": {"content": "x"}, "expiryDateTime": "soon"},
        {"message": {"content": "x"}, "expiryDateTime": {"dateTime": "soon", "timeZone": "UTC"}},
    ],
)
async def test_wrong_status_messages(graph: Graph, ana: str, status: Any) -> None:
    answer = await graph.post(f"/users/{ana}/presence/setStatusMessage", {"statusMessage": status})
    assert answer.status == 400


async def test_many_are_read_at_once(graph: Graph, world: World) -> None:
    ids = [user.id for user in world.saved.teams]
    answer = await graph.post("/communications/getPresencesByUserId", {"ids": ids})
    assert [presence["id"] for presence in answer.body["value"]] == ids


@pytest.mark.parametrize(
    ("ids", "status"), [(["x"] * 650, 200), (["x"] * 651, 400), ([], 400), ("x", 400), ([1], 400)]
)
async def test_at_most_650_are_read_at_once(graph: Graph, ids: Any, status: int) -> None:
    assert (await graph.post("/communications/getPresencesByUserId", {"ids": ids})).status == status


async def test_reads_may_drift_to_camel_case_and_to_a_call_as_availability(graph: Graph, ana: str) -> None:
    await graph.sandbox.set_faults(graph_drift=True)
    assert await seen(graph, ana) == ("available", "available")
    await set_presence(graph, ana)
    assert await seen(graph, ana) == ("inACall", "inACall")


async def test_all_that_bears_on_it_is_read_of_many_in_one_counted_request(
    graph: Graph, world: World, ana: str, clock: FakeClock
) -> None:
    await set_presence(graph, ana, expirationDuration="PT30M")

    async def read() -> tuple[str, str]:
        found = await graph.post("/communications/getPresencesByUserId", {"ids": [ana, "of nobody"]})
        (presence,) = found.body["value"]
        return presence["availability"], presence["activity"]

    for state, expected in (("InAMeeting", ("Busy", "InACall")), ("Presenting", ("DoNotDisturb", "Presenting"))):
        await graph.sandbox.client("Ana Martins", state)
        assert await read() == expected
    await graph.post(
        f"/users/{ana}/presence/setUserPreferredPresence",
        {"availability": "BeRightBack", "activity": "BeRightBack", "expirationDuration": "PT10M"},
    )
    assert await read() == ("BeRightBack", "BeRightBack")
    clock.advance(minutes=10)
    await graph.sandbox.client("Ana Martins", None)
    assert await read() == ("Busy", "InACall")
    clock.advance(minutes=20)
    assert await read() == ("Offline", "Offline")
    await graph.sandbox.set_faults(graph_quota=1)
    clock.advance(seconds=31)
    assert await read() == ("Offline", "Offline")
    answer = await graph.post("/communications/getPresencesByUserId", {"ids": [ana]})
    assert (answer.status, answer.headers["Retry-After"]) == (429, "30")


async def test_presence_that_is_accepted_and_not_shown_and_presence_that_may_not_be_read(
    graph: Graph, ana: str
) -> None:
    await graph.sandbox.set_faults(graph_hides=True)
    assert (await set_presence(graph, ana)).status == 200
    assert await seen(graph, ana) == ("Available", "Available")
    await graph.sandbox.set_faults(graph_unreadable=True)
    assert (await graph.post("/communications/getPresencesByUserId", {"ids": [ana]})).status == 403
    assert (await graph.get(f"/users/{ana}/presence")).status == 403
    assert (await set_presence(graph, ana)).status == 200


async def test_the_quota_counts_reads_and_writes_and_nothing_else(graph: Graph, ana: str, clock: FakeClock) -> None:
    await graph.sandbox.set_faults(graph_quota=2)
    for _ in range(5):
        assert (await graph.get("/users")).status == 200
    assert (await set_presence(graph, ana)).status == 200
    assert (await graph.get(f"/users/{ana}/presence")).status == 200
    clock.advance(seconds=10)
    answer = await set_presence(graph, ana)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "TooManyRequests", "20")
    clock.advance(seconds=20)
    assert (await set_presence(graph, ana)).status == 200
    assert (await graph.sandbox.state())["counts"] == {
        "webhooks": 0,
        "batches": 0,
        "presenceWrites": 2,
        "throttled": 1,
    }
