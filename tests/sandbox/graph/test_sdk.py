"""Microsoft's own Python SDK against the sandbox."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.user import User
from msgraph.generated.users.item.presence.set_presence.set_presence_post_request_body import (
    SetPresencePostRequestBody,
)
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from sandbox.state import World
from tests.sandbox.callers import Graph


class StaticToken(AuthenticationProvider):
    def __init__(self, token: str) -> None:
        self._token = token

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        request.headers.add("Authorization", f"Bearer {self._token}")


@pytest.fixture
async def sdk(graph: Graph) -> AsyncIterator[GraphServiceClient]:
    async with httpx.AsyncClient(trust_env=False) as http:
        adapter = GraphRequestAdapter(StaticToken(graph.token), http)
        adapter.base_url = f"{graph.sandbox.url}/v1.0"
        yield GraphServiceClient(request_adapter=adapter)


async def test_the_organisation(sdk: GraphServiceClient, world: World) -> None:
    answer = await sdk.organization.get()
    assert answer is not None
    assert [each.display_name for each in answer.value or []] == [world.saved.registration.organisation]


async def test_users_page_by_page(sdk: GraphServiceClient, world: World) -> None:
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        select=["id", "displayName", "userPrincipalName", "mail", "proxyAddresses", "accountEnabled"], top=999
    )
    page = await sdk.users.get(RequestConfiguration(query_parameters=query))
    found: list[User] = []
    while page is not None:
        found += page.value or []
        page = await sdk.users.with_url(page.odata_next_link).get() if page.odata_next_link else None
    assert [(user.id, user.account_enabled) for user in found] == [(u.id, u.enabled) for u in world.saved.teams]
    assert [user.proxy_addresses for user in found] == [user.proxy_addresses for user in world.saved.teams]


async def test_the_application_and_its_secrets(sdk: GraphServiceClient, graph: Graph, world: World) -> None:
    with pytest.raises(ODataError) as caught:
        await sdk.applications_with_app_id(world.saved.registration.client_id).get()
    assert caught.value.response_status_code == 403
    assert caught.value.error is not None
    assert caught.value.error.code == "Authorization_RequestDenied"


async def test_a_presence_is_read(sdk: GraphServiceClient, ana: str) -> None:
    presence = await sdk.users.by_user_id(ana).presence.get()
    assert presence is not None
    assert (presence.availability, presence.activity) == ("Available", "Available")


async def test_a_duration_that_is_not_iso_is_refused(sdk: GraphServiceClient, world: World, ana: str) -> None:
    body = SetPresencePostRequestBody(
        availability="Busy",
        activity="InACall",
        session_id=world.saved.registration.client_id,
        expiration_duration=timedelta(hours=1),
    )
    with pytest.raises(ODataError) as caught:
        await sdk.users.by_user_id(ana).presence.set_presence.post(body)
    assert caught.value.response_status_code == 400
