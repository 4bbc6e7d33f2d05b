"""msgraph-sdk, configured for our Graph address and tokens, without its own retries, redirects and models.

Importing it takes about two seconds: import this module in a thread. Its models are not used: building one user
takes about five milliseconds, so a page of 999 would block the event loop for seconds (measured with msgraph-sdk
1.65); responses are read as bytes instead.
"""

from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any

import httpx
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from kiota_http.kiota_client_factory import KiotaClientFactory
from kiota_http.middleware import ParametersNameDecodingHandler
from kiota_http.middleware.middleware import BaseMiddleware
from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder
from msgraph.generated.groups.item.group_item_request_builder import GroupItemRequestBuilder
from msgraph.generated.groups.item.transitive_members.transitive_members_request_builder import (
    TransitiveMembersRequestBuilder,
)
from msgraph.generated.organization.organization_request_builder import OrganizationRequestBuilder
from msgraph.generated.users.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from core.clock import Clock
from core.correlation import new_cause
from core.http.client import TooLarge, is_loopback, read_capped, same_origin
from core.http.metrics import FAILED, RequestMetrics, outcome_of
from core.metrics import Metrics
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import Service
from sync.teams.graph_client import CLIENT_REQUEST_ID, LARGEST_ERROR, SUCCESS, log_refusal, refusal
from sync.teams.tokens import Tokens

LARGEST_PAGE = 20_000_000
"""Bytes: 20 kB for each of 999 users, whose addresses are the only long field."""


class Graph:
    """The SDK's calls that we use. Each raises what ``graph_client.refusal`` returns, and httpx's errors."""

    def __init__(
        self, http: httpx.AsyncClient, tokens: Tokens, graph_url: str, clock: Clock, metrics: Metrics
    ) -> None:
        if not graph_url.startswith("https://") and not is_loopback(graph_url):
            raise ValueError("GRAPH_URL may be plain http on this machine only")
        middleware = [ParametersNameDecodingHandler(), GraphMiddleware(clock, metrics)]
        client = KiotaClientFactory.create_with_custom_middleware(middleware, http)
        adapter = GraphRequestAdapter(_Bearer(tokens, graph_url), client)
        adapter.base_url = graph_url.rstrip("/") + "/v1.0"
        self._adapter = adapter
        self._client = GraphServiceClient(request_adapter=adapter)

    async def organisations(self) -> bytes | None:
        query = OrganizationRequestBuilder.OrganizationRequestBuilderGetQueryParameters(
            select=["id", "displayName"]
        )
        return await self._send(self._client.organization, query)

    async def users(self, fields: Sequence[str]) -> bytes | None:
        query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(select=list(fields))
        return await self._send(self._client.users.delta, query)

    async def user(self, principal_name: str, fields: Sequence[str]) -> bytes | None:
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=list(fields))
        return await self._send(self._client.users.by_user_id(principal_name), query)

    async def more_users(self, link: str) -> bytes | None:
        return await self._send(self._client.users.delta.with_url(link), None)

    async def groups(self, name: str, fields: Sequence[str], at_most: int) -> bytes | None:
        quoted = name.replace("'", "''")
        query = GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters(
            filter=f"displayName eq '{quoted}'", select=list(fields), top=at_most
        )
        return await self._send(self._client.groups, query)

    async def group(self, group_id: str, fields: Sequence[str]) -> bytes | None:
        query = GroupItemRequestBuilder.GroupItemRequestBuilderGetQueryParameters(select=list(fields))
        return await self._send(self._client.groups.by_group_id(group_id), query)

    async def members(self, group_id: str, at_most: int) -> bytes | None:
        query = TransitiveMembersRequestBuilder.TransitiveMembersRequestBuilderGetQueryParameters(
            select=["id"], top=at_most
        )
        return await self._send(self._client.groups.by_group_id(group_id).transitive_members, query)

    async def more_members(self, link: str) -> bytes | None:
        return await self._send(self._client.groups.by_group_id("any").transitive_members.with_url(link), None)

    async def _send(self, builder: Any, query: Any) -> bytes | None:
        request = builder.to_get_request_information(query and RequestConfiguration(query_parameters=query))
        content: bytes | None = await self._adapter.send_primitive_async(request, "bytes", None)
        return content


class GraphMiddleware(BaseMiddleware):
    """Does to the SDK's requests what ``GraphClient`` does to ours: identifies, counts, bounds and translates them.

    Middleware, as a transport of our own would switch off the proxies that httpx reads from the environment.
    """

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        super().__init__()
        self._clock = clock
        self._recorded = RequestMetrics(metrics)

    async def send(self, request: httpx.Request, transport: httpx.AsyncBaseTransport) -> httpx.Response:
        request.headers[CLIENT_REQUEST_ID] = new_cause()
        began, outcome = perf_counter(), FAILED
        try:
            response = await super().send(request, transport)
            outcome = outcome_of(response.status_code)
        finally:
            self._recorded.record(Service.GRAPH.value, outcome, perf_counter() - began)
        try:
            content = await self._read(response)
        finally:
            await response.aclose()
        headers = {"Content-Type": response.headers.get("Content-Type", "application/json")}
        return httpx.Response(response.status_code, headers=headers, content=content, request=request)

    async def _read(self, response: httpx.Response) -> bytes:
        if response.status_code in SUCCESS:
            return await read_capped(response.aiter_bytes(), LARGEST_PAGE)
        log_refusal(response.status_code, response.headers, response.request.headers)
        content = b""
        with suppress(TooLarge, httpx.DecodingError):
            content = await read_capped(response.aiter_bytes(), LARGEST_ERROR)
        raise refusal(response.status_code, response.headers, content, self._clock())


class _Bearer(AuthenticationProvider):
    """Gives each request the current token, and only requests to Graph's own host."""

    def __init__(self, tokens: Tokens, graph_url: str) -> None:
        self._tokens = tokens
        self._graph_url = graph_url

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        if not same_origin(request.url, self._graph_url):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        request.headers.remove("Authorization")
        request.headers.add("Authorization", f"Bearer {await self._tokens.token()}")
