"""An application's registration, from a stub of Graph with real and malformed responses."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.services import NewPassword, Password
from sync.teams.applications import Applications
from sync.teams.graph_client import GraphClient
from tests.support.clocks import NOON
from tests.support.sync.stub_server import Reply, StubServer, stub_server
from tests.support.sync.teams import CountedTokens, jwt

CLIENT = "1c9e1f0e-59a5-4c05-8b6c-6a0a6cb0a7d1"
PATH = f"/v1.0/applications(appId='{CLIENT}')"
GET, ADD, REMOVE = f"GET {PATH}", f"POST {PATH}/addPassword", f"POST {PATH}/removePassword"
SECRET = {"keyId": "k1", "displayName": "First", "hint": "abc", "endDateTime": "2027-05-31T08:00:00Z"}


@pytest_asyncio.fixture
async def graph() -> AsyncIterator[StubServer]:
    async with stub_server() as server:
        yield server


@pytest_asyncio.fixture
async def applications(graph: StubServer) -> AsyncIterator[Applications]:
    async with aiohttp.ClientSession() as http:
        yield Applications(GraphClient(http, graph.url, CountedTokens(), lambda: NOON), CLIENT)


async def test_secrets_are_read_and_malformed_ones_left_out(graph: StubServer, applications: Applications) -> None:
    odd: list[Any] = [SECRET, {"keyId": 5}, {"keyId": "k2"}, {"keyId": "k3", "endDateTime": "soon"}, "x", None]
    graph.on(GET, Reply({"passwordCredentials": odd}))
    assert await applications.passwords() == [Password("k1", "First", "abc", date(2027, 5, 31))]


async def test_an_added_secret_is_returned_and_its_value_is_in_no_repr(
    graph: StubServer, applications: Applications
) -> None:
    graph.on(ADD, Reply({**SECRET, "secretText": "the~value"}))
    added = await applications.add_password("Ours", NOON)
    assert added == NewPassword("k1", "the~value", date(2027, 5, 31))
    assert "the~value" not in repr(added)


@pytest.mark.parametrize("answer", [{}, {**SECRET, "secretText": None}, {"secretText": "x"}, [], None])
async def test_a_response_without_a_secret_is_unreadable(
    graph: StubServer, applications: Applications, answer: Any
) -> None:
    graph.on(ADD, Reply(answer))
    with pytest.raises(ServiceUnavailable) as caught:
        await applications.add_password("Ours", NOON)
    assert caught.value.fault is Fault.GRAPH_UNREADABLE


async def test_removing_a_missing_secret_is_success_and_a_refused_removal_is_not(
    graph: StubServer, applications: Applications
) -> None:
    graph.on(REMOVE, Reply({"error": {"code": "Request_BadRequest"}}, status=400))
    graph.on(GET, Reply({"passwordCredentials": [SECRET]}))
    await applications.remove_password("k2")
    with pytest.raises(CredentialsWrong) as caught:
        await applications.remove_password("k1")
    assert caught.value.fault is Fault.GRAPH_ROTATION_FORBIDDEN
    assert caught.value.context["error"] == "Request_BadRequest"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("CredentialInvalidLifetimeAsPerAppPolicy", Fault.GRAPH_SECRET_TOO_LONG),
        ("CredentialTypeNotAllowedAsPerAppPolicy", Fault.GRAPH_SECRETS_FORBIDDEN),
        ("Request_BadRequest", Fault.GRAPH_ROTATION_FORBIDDEN),
    ],
)
async def test_a_policy_is_no_missing_permission(
    graph: StubServer, applications: Applications, code: str, fault: Fault
) -> None:
    graph.on(ADD, Reply({"error": {"code": code}}, status=400))
    with pytest.raises(CredentialsWrong) as caught:
        await applications.add_password("Ours", NOON)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("status", "kind", "fault"),
    [
        (401, CredentialsWrong, Fault.GRAPH_ROTATION_FORBIDDEN),
        (403, CredentialsWrong, Fault.GRAPH_ROTATION_FORBIDDEN),
        (404, CredentialsWrong, Fault.GRAPH_ROTATION_FORBIDDEN),
        (429, ServiceUnavailable, Fault.GRAPH_THROTTLED),
        (503, ServiceUnavailable, Fault.GRAPH_UNREACHABLE),
        (302, ServiceUnavailable, Fault.GRAPH_UNREADABLE),
    ],
)
async def test_refusals(
    graph: StubServer, applications: Applications, status: int, kind: type[Exception], fault: Fault
) -> None:
    graph.on(GET, Reply({"error": {"code": "Some\nCode"}}, status=status))
    with pytest.raises(kind) as caught:
        await applications.passwords()
    assert getattr(caught.value, "fault", None) is fault
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("roles", "reads", "rotates"),
    [
        (["User.Read.All"], False, False),
        (["Application.Read.All"], True, False),
        (["Application.ReadWrite.OwnedBy"], True, True),
        (["Application.ReadWrite.All"], True, True),
    ],
)
async def test_permissions_are_read_from_the_tokens_roles(roles: list[str], reads: bool, rotates: bool) -> None:
    class TokensWithRoles(CountedTokens):
        async def token(self) -> str:
            return jwt(roles=roles)

    async with aiohttp.ClientSession() as http:
        applications = Applications(
            GraphClient(http, "http://127.0.0.1:9", TokensWithRoles(), lambda: NOON), CLIENT
        )
        assert await applications.may_read() is reads
        assert await applications.may_rotate() is rotates
