from typing import Any

import pytest

from sandbox.state import World
from tests.sandbox.callers import Answer, Graph, signed_in
from tests.support.clocks import FakeClock


async def pages(graph: Graph, answer: Answer) -> list[Answer]:
    """A response and all its next pages."""
    found = [answer]
    while link := found[-1].body.get("@odata.nextLink"):
        found.append(await graph.get(link))
        assert found[-1].status == 200
        assert len(found) < 50
    return found


async def test_users_come_in_pages_with_absolute_links(graph: Graph, world: World) -> None:
    found = await pages(graph, await graph.get("/users", top="999", select="id,mail"))
    assert found[0].body["@odata.nextLink"].startswith(f"{graph.sandbox.url}/v1.0/users?")
    assert [len(page.body["value"]) for page in found] == [10, 10, 7]
    users = [user for page in found for user in page.body["value"]]
    assert users == [{"id": user.id, "mail": user.mail} for user in world.saved.teams]


async def test_the_page_size_can_be_set(graph: Graph, world: World) -> None:
    world.saved.page_size = 999
    assert len(await pages(graph, await graph.get("/users"))) == 1
    assert len((await graph.get("/users", top="3")).body["value"]) == 3


async def test_without_a_selection_graphs_default_properties_come(graph: Graph) -> None:
    user = (await graph.get("/users")).body["value"][0]
    assert "userPrincipalName" in user
    assert user.keys().isdisjoint({"proxyAddresses", "accountEnabled", "userType"})


@pytest.mark.parametrize(
    "options",
    [{"top": "1000"}, {"top": "0"}, {"top": "x"}, {"select": "id,nothing"}, {"skiptoken": "forged"}, {"skip": "1"}],
)
async def test_wrong_options_are_refused(graph: Graph, options: dict[str, str]) -> None:
    assert (await graph.get("/users", **options)).status == 400


async def test_one_user_by_id_and_by_upn(graph: Graph, ana: str) -> None:
    by_id = await graph.get(f"/users/{ana}", select="id,displayName,accountEnabled,proxyAddresses")
    assert by_id.body == {
        "id": ana,
        "displayName": "Ana Martins",
        "accountEnabled": True,
        "proxyAddresses": ["SMTP:ana.martins@valeverde.example"],
    }
    assert (await graph.get("/users/Ana.Martins@valeverde.example")).body["id"] == ana
    missing = await graph.get("/users/nobody@valeverde.example")
    assert (missing.status, missing.code) == (404, "Request_ResourceNotFound")


async def test_the_organisation(graph: Graph, world: World) -> None:
    (organisation,) = (await graph.get("/organization")).body["value"]
    registration = world.saved.registration
    assert (organisation["id"], organisation["displayName"]) == (registration.tenant_id, registration.organisation)
    selected = await graph.get("/organization", select="displayName")
    assert selected.body["value"] == [{"displayName": registration.organisation}]


async def full_round(graph: Graph, first: Answer) -> tuple[list[dict[str, Any]], str]:
    found = await pages(graph, first)
    return [user for page in found for user in page.body["value"]], found[-1].body["@odata.deltaLink"]


async def test_a_first_delta_round_has_all_users_an_empty_page_and_a_repeat(graph: Graph, world: World) -> None:
    found = await pages(graph, await graph.get("/users/delta", select="displayName"))
    users = [user["id"] for page in found for user in page.body["value"]]
    assert set(users) == {user.id for user in world.saved.teams}
    assert len(users) == len(set(users)) + 1
    assert any(page.body["value"] == [] for page in found[:-1])
    assert all(("@odata.deltaLink" in page.body) == (page is found[-1]) for page in found)
    assert found[0].body["value"][0].keys() == {"id", "displayName"}


async def test_later_rounds_have_what_changed(graph: Graph, ana: str) -> None:
    _, link = await full_round(graph, await graph.get("/users/delta", select="accountEnabled"))
    assert (await full_round(graph, await graph.get(link)))[0] == []
    await graph.sandbox.post(f"teams/{ana}/enabled", {"on": False})
    changed, link = await full_round(graph, await graph.get(link))
    assert changed == [{"id": ana, "accountEnabled": False}]
    await graph.sandbox.post(f"teams/{ana}/removed", {})
    removed, link = await full_round(graph, await graph.get(link))
    assert removed == [{"id": ana, "@removed": {"reason": "changed"}}]
    assert (await full_round(graph, await graph.get(link)))[0] == []
    users, _ = await full_round(graph, await graph.get("/users/delta"))
    assert ana not in [user["id"] for user in users]


async def test_a_delta_link_lives_seven_days(graph: Graph, world: World, clock: FakeClock) -> None:
    _, link = await full_round(graph, await graph.get("/users/delta"))
    clock.advance(days=7)
    assert (await (await signed_in(graph.sandbox)).get(link)).status == 200
    clock.advance(seconds=1)
    answer = await (await signed_in(graph.sandbox)).get(link)
    assert (answer.status, answer.code) == (410, "syncStateNotFound")


@pytest.mark.parametrize("options", [{"top": "5"}, {"deltatoken": "forged"}, {"skiptoken": "forged"}])
async def test_delta_takes_no_top_and_no_forged_tokens(graph: Graph, options: dict[str, str]) -> None:
    assert (await graph.get("/users/delta", **options)).status == 400


async def test_a_users_page_link_is_none_of_deltas(graph: Graph) -> None:
    link = (await graph.get("/users")).body["@odata.nextLink"]
    assert (await graph.get(link.replace("/users?", "/users/delta?"))).status == 400
