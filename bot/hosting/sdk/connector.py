"""botbuilder's connector client over ``ConnectorHttp``: no ``requests``, and msrest reads nothing but successes."""

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
"""Clients hold no state of a turn and are kept: making one takes 4 ms of the loop (measured, 4.17.1)."""


class Transport(AsyncHTTPSender[Any, Any]):
    """Sends msrest's requests by ``ConnectorHttp``."""

    def __init__(self, outgoing: ConnectorHttp) -> None:
        self._outgoing = outgoing

    async def __aexit__(self, *_details: object) -> None:
        """The session is not ours to close."""

    async def send(self, request: Request[Any], **_config: Any) -> Response[Any, Any]:
        """Raises as ``Outgoing.request``."""
        asked = request.http_request
        body = await self._outgoing.request(asked.method, asked.url, asked.headers, asked.data)
        return Response(request, Success(asked, body))


class Success(AsyncClientResponse):
    """A success as msrest reads it: JSON, or no body at all when it is anything else."""

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
        """As ``outgoing.parse``."""
        return self._json


def _pipeline(config: BotFrameworkConnectorConfiguration) -> AsyncPipeline[Any, Any]:
    """Without botbuilder's credentials policy, which fetches tokens on the loop.

    A policy object must not be handed in by ``credentials``: the client links it into a second pipeline, over
    ``requests``, and there it stays (msrest 0.7.1).
    """
    return AsyncPipeline([config.user_agent_policy, RawDeserializer()], config.sender)


class Connectors(ConnectorFactory):  # type: ignore[misc]
    """Makes a connector client for a ``serviceUrl``, if the bot may send there."""

    def __init__(self, config: HostingConfig, outgoing: ConnectorHttp) -> None:
        self._config = config
        self._transport = Transport(outgoing)
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
    """What botbuilder's adapter asks of authentication. Callers are verified before it is asked (``Verifier``)."""

    def __init__(self, config: HostingConfig, connectors: Connectors) -> None:
        self._app_id = config.app_id
        self._connectors = connectors

    def verified(self) -> AuthenticateRequestResult:
        """The result for a caller that ``Verifier`` has let in."""
        result = AuthenticateRequestResult()
        result.claims_identity = ClaimsIdentity({"aud": self._app_id, "appid": self._app_id}, True)
        result.connector_factory = self._connectors
        return result

    def create_connector_factory(self, claims_identity: ClaimsIdentity) -> ConnectorFactory:
        return self._connectors

    async def create_user_token_client(self, claims_identity: ClaimsIdentity) -> None:
        """The bot signs nobody in."""

    async def authenticate_request(self, activity: Activity, auth_header: str) -> AuthenticateRequestResult:
        raise PermissionError("only verified requests are processed")

    async def authenticate_streaming_request(self, auth_header: str, channel_id_header: str) -> None:
        raise PermissionError("streaming is not served")
