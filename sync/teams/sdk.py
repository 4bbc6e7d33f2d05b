"""msgraph-sdk, brought to speak to our Graph with our tokens, and never to sleep in a call.

Importing it takes about two seconds: import this module in a thread. Its models are left aside: making one user
of an answer takes it about five milliseconds, so a page of 999 would hold the event loop for seconds (measured with
msgraph-sdk 1.65); answers are taken as bytes instead.
"""

from collections.abc import Sequence
from typing import Any

import httpx
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from kiota_http.kiota_client_factory import KiotaClientFactory
from kiota_http.middleware import ParametersNameDecodingHandler
from msgraph.generated.organization.organization_request_builder import OrganizationRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from core.http import is_loopback, same_origin
from sync.domain.errors import Fault, ServiceUnavailable
from sync.teams.tokens import Tokens


class Graph:
    """The SDK's calls that we use, without its retries and redirects: both are for the caller to judge."""

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens, graph_url: str) -> None:
        if not graph_url.startswith("https://") and not is_loopback(graph_url):
            raise ValueError("GRAPH_URL may be plain http on this machine only")
        client = KiotaClientFactory.create_with_custom_middleware([ParametersNameDecodingHandler()], http)
        adapter = GraphRequestAdapter(_Bearer(tokens, graph_url), client)
        adapter.base_url = graph_url.rstrip("/") + "/v1.0"
        self._adapter = adapter
        self._client = GraphServiceClient(request_adapter=adapter)

    async def organisations(self) -> bytes | None:
        query = OrganizationRequestBuilder.OrganizationRequestBuilderGetQueryParameters(
            select=["id", "displayName"]
        )
        return await self._send(self._client.organization, query)

    async def users(self, fields: Sequence[str], size: int) -> bytes | None:
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=list(fields), top=size)
        return await self._send(self._client.users, query)

    async def more_users(self, link: str) -> bytes | None:
        return await self._send(self._client.users.with_url(link), None)

    async def _send(self, builder: Any, query: Any) -> bytes | None:
        request = builder.to_get_request_information(query and RequestConfiguration(query_parameters=query))
        content: bytes | None = await self._adapter.send_primitive_async(request, "bytes", None)
        return content


class _Bearer(AuthenticationProvider):
    """Gives each request the current token, and gives it to Graph's own host only."""

    def __init__(self, tokens: Tokens, graph_url: str) -> None:
        self._tokens = tokens
        self._graph_url = graph_url

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        if not same_origin(request.url, self._graph_url):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        if additional_authentication_context:
            self._tokens.forget()
        request.headers.remove("Authorization")
        request.headers.add("Authorization", f"Bearer {await self._tokens.token()}")
