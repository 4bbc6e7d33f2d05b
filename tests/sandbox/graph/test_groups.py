"""Groups as Graph gives them, and as the product's own client reads them."""

from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sandbox.state import World
from sandbox.world.people import Group, stable_id
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.teams.directory import GraphDirectory, open_directory
from tests.sandbox.callers import Graph, signed_in
from tests.support.services.sandboxes import SandboxHandle

SALES, HEADQUARTERS = stable_id("group/Sales"), stable_id("group/Headquarters")


@pytest.fixture
async def reading(sandbox: SandboxHandle) -> Graph:
    """A caller who may read groups."""
    await sandbox.post("registration/permissions", {"GroupMember.Read.All": True})
    return await signed_in(sandbox)


async def test_groups_need_their_own_permission(graph: Graph) -> None:
    for path in ("/groups", f"/groups/{SALES}", f"/groups/{SALES}/transitiveMembers"):
        assert (await graph.get(path)).status == 403


async def test_members_of_groups_within_are_listed_once_and_in_pages(reading: Graph, world: World) -> None:
    world.saved.page_size = 4
    sales, headquarters = world.group(SALES), world.group(HEADQUARTERS)
    assert sales
    assert headquarters
    sales.members.append(HEADQUARTERS)
    first = await reading.get(f"/groups/{HEADQUARTERS}/transitiveMembers", select="id", top="999")
    second = await reading.get(first.body["@odata.nextLink"])
    found = first.body["value"] + second.body["value"]
    assert len(found) == len({each["id"] for each in found}) == 6
    assert {each["@odata.type"] for each in found} == {"#microsoft.graph.user", "#microsoft.graph.group"}
    assert "@odata.nextLink" not in second.body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/groups/{stable_id('nothing')}", 404),
        (f"/groups/{stable_id('nothing')}/transitiveMembers", 404),
        ("/groups/sales", 400),
        (f"/groups/{SALES}/transitiveMembers?$select=displayName", 400),
        (f"/groups/{SALES}/transitiveMembers?$top=1000", 400),
        ("/groups?$filter=startswith(displayName,'S')", 400),
    ],
)
async def test_wrong_requests_are_refused(reading: Graph, path: str, status: int) -> None:
    assert (await reading.get(path)).status == status


class TokenOf:
    """``Tokens`` of a caller."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def token(self) -> str:
        return self._graph.token

    def forget(self) -> None: ...


def opened(graph: Graph) -> AbstractAsyncContextManager[GraphDirectory]:
    return open_directory(TokenOf(graph), graph.sandbox.url, utc_now, Metrics(CollectorRegistry()))


async def test_the_products_client_finds_a_group_and_reads_its_members(reading: Graph, world: World) -> None:
    world.saved.page_size = 2
    world.saved.groups.append(Group(stable_id("group/other sales"), "sales"))
    world.saved.groups.append(Group(stable_id("group/odd"), "O'Neill & Filhos"))
    async with opened(reading) as directory:
        assert len(await directory.groups("SALES")) == 2
        assert [each.id for each in await directory.groups(SALES.upper())] == [SALES]
        assert [each.name for each in await directory.groups("O'Neill & Filhos")] == ["O'Neill & Filhos"]
        assert [each.hidden for each in await directory.groups("Management")] == [True]
        assert [await directory.groups(each) for each in ("Nobody", stable_id("nothing"))] == [[], []]
        page = await directory.members(HEADQUARTERS, "")
        users = [*page.user_ids]
        while page.link:
            page = await directory.members(HEADQUARTERS, page.link)
            users += page.user_ids
        assert len(users) == len(set(users)) == 5
        with pytest.raises(ServiceUnavailable) as gone:
            await directory.members(stable_id("nothing"), "")
        assert gone.value.context["status"] == 404


async def test_the_products_client_without_the_permission(graph: Graph) -> None:
    async with opened(graph) as directory:
        for reads in (directory.groups("Sales"), directory.groups(SALES), directory.members(SALES, "")):
            with pytest.raises(CredentialsWrong) as refused:
                await reads
            assert refused.value.fault is Fault.GRAPH_FORBIDDEN
