"""botbuilder's connector client over ``ConnectorHttp``: without ``requests``; msrest parses only successes."""

from typing import Any

from botbuilder.schema import Activity
from botframework.connector import BotFrameworkConnectorConfiguration
from botframework.connector.aio import ConnectorClient
from botframework.connector.auth import (
    AuthenticateRequestResult,
    BotFrameworkAuthentication,
    ClaimsIdentity,
    ConnectorFactory,
)
from msrest.authentication import Authentication as NoCredentials
from msrest.pipeline import Request, Response
from msrest.pipeline.async_abc import AsyncHTTPSender, AsyncPipeline
from msrest.pipeline.universal import RawDeserializer
from msrest.universal_http.async_abc import AsyncClientResponse

from bot.activity import Undelivered
from bot.hosting.config import HostingConfig
from bot.hosting.connector_http import ConnectorHttp, parse

MAX_CLIENTS = 64
"""Clients hold no state of a turn and are cached: creating one blocks the loop for 4 ms (measured, 4.17.1)."""


class Transport(AsyncHTTPSender[Any, Any]):
    """Sends msrest's requests with ``ConnectorHttp``."""

    def __init__(self, connector_http: ConnectorHttp) -> None:
        self._connector_http = connector_http

    async def __aexit__(self, *_details: object) -> None:
        """The session belongs to the caller, who closes it."""

    async def send(self, request: Request[Any], **_config: Any) -> Response[Any, Any]:
        """Raises as ``ConnectorHttp.request``."""
        asked = request.http_request
        body = await self._connector_http.request(asked.method, asked.url, asked.headers, asked.data)
        return Response(request, Success(asked, body))


class Success(AsyncClientResponse):
    """A successful response for msrest: JSON, or an empty body for anything else."""

    def __init__(self, request: Any, body: bytes) -> None:
        super().__init__(request, self)
        self.status_code = 200
        self.reason = "OK"
        self.headers = {"content-type": "application/json"}
        self._json = parse(request.method, body)
        self._body = b"" if self._json is None else body

    def body(self) -> bytes:
        return self._body

    def json(self) -> Any:
        """As ``connector_http.parse``."""
        return self._json


def _pipeline(config: BotFrameworkConnectorConfiguration) -> AsyncPipeline[Any, Any]:
    """Without botbuilder's credentials policy, which fetches tokens on the loop.

    A policy object must not be passed as ``credentials``: the client also adds it to a second pipeline, over
    ``requests``, and it stays there (msrest 0.7.1).
    """
    return AsyncPipeline([config.user_agent_policy, RawDeserializer()], config.sender)


class Connectors(ConnectorFactory):  # type: ignore[misc]
    """Creates a connector client for a ``serviceUrl`` that the bot may send to."""

    def __init__(self, config: HostingConfig, connector_http: ConnectorHttp) -> None:
        self._config = config
        self._transport = Transport(connector_http)
        self._clients: dict[str, ConnectorClient] = {}

    async def create(self, service_url: str, audience: str | None = None) -> ConnectorClient:
        """Raises ``Undelivered`` for a service the configuration does not allow: no token goes there."""
        if not self._config.allows_service(service_url):
            raise Undelivered(0)
        client = self._clients.get(service_url)
        if client is None:
            client = ConnectorClient(NoCredentials(), service_url, pipeline_type=_pipeline, sender=self._transport)
            if len(self._clients) >= MAX_CLIENTS:
                self._clients.clear()
            self._clients[service_url] = client
        return client


class Authentication(BotFrameworkAuthentication):  # type: ignore[misc]
    """Authentication for botbuilder's adapter; ``Verifier`` has already verified the caller."""

    def __init__(self, config: HostingConfig, connectors: Connectors) -> None:
        self._app_id = config.app_id
        self._connectors = connectors

    def verified(self) -> AuthenticateRequestResult:
        """The result for a caller that ``Verifier`` accepted."""
        result = AuthenticateRequestResult()
        result.claims_identity = ClaimsIdentity({"aud": self._app_id, "appid": self._app_id}, True)
        result.connector_factory = self._connectors
        return result

    def create_connector_factory(self, claims_identity: ClaimsIdentity) -> ConnectorFactory:
        return self._connectors

    async def create_user_token_client(self, claims_identity: ClaimsIdentity) -> None:
        """The bot does not sign users in."""

    async def authenticate_request(self, activity: Activity, auth_header: str) -> AuthenticateRequestResult:
        raise PermissionError("only verified requests are processed")

    async def authenticate_streaming_request(self, auth_header: str, channel_id_header: str) -> None:
        raise PermissionError("streaming is not served")
