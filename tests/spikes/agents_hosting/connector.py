"""The SDK's connector client over ``ConnectorHttp``; docs/leaving-botbuilder.md says why not its own."""

from typing import Any
from urllib.parse import quote

import orjson
from microsoft_agents.activity import Activity, ResourceResponse
from microsoft_agents.hosting.core import ClaimsIdentity

from bot.activity import Undelivered
from bot.hosting.config import HostingConfig
from bot.hosting.connector_http import ConnectorHttp, parse

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Conversations:
    """The three calls the bot makes, and its two queries."""

    def __init__(self, service_url: str, connector_http: ConnectorHttp) -> None:
        self._root = f"{service_url.rstrip('/')}/v3/conversations"
        self._connector_http = connector_http

    async def send_to_conversation(self, conversation_id: str, activity: Activity) -> ResourceResponse:
        return await self._say("POST", activity, conversation_id, "activities")

    async def reply_to_activity(
        self, conversation_id: str, activity_id: str, activity: Activity
    ) -> ResourceResponse:
        return await self._say("POST", activity, conversation_id, "activities", activity_id)

    async def update_activity(self, conversation_id: str, activity_id: str, activity: Activity) -> ResourceResponse:
        return await self._say("PUT", activity, conversation_id, "activities", activity_id)

    async def members(self, conversation_id: str, *user_id: str) -> Any:
        """All of them or one, as JSON: the SDK's model of a member drops fields."""
        return await self._ask("GET", None, conversation_id, "members", *user_id)

    async def _say(self, method: str, activity: Activity, *path: str) -> ResourceResponse:
        said = activity.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, mode="json")
        answer = await self._ask(method, orjson.dumps(said), *path) or {}
        posted = answer.get("id")
        return ResourceResponse(id=posted) if posted and isinstance(posted, str) else ResourceResponse()

    async def _ask(self, method: str, data: bytes | None, *path: str) -> Any:
        url = "/".join([self._root, *(quote(part, safe="") for part in path)])
        return parse(method, await self._connector_http.request(method, url, HEADERS, data))


class Connector:
    """Replaces the SDK's ``ConnectorClientBase`` and ``UserTokenClientBase``."""

    def __init__(self, service_url: str, connector_http: ConnectorHttp) -> None:
        self.base_uri = service_url
        self.attachments = None
        self.conversations = Conversations(service_url, connector_http)

    async def close(self) -> None:
        """Does nothing: the session belongs to the caller."""


class Connectors:
    """The SDK's ``ChannelServiceClientFactoryBase``."""

    def __init__(self, config: HostingConfig, connector_http: ConnectorHttp) -> None:
        self._config = config
        self._connector_http = connector_http

    async def create_connector_client(
        self, _context: Any, _identity: ClaimsIdentity, service_url: str, *_more: Any, **_named: Any
    ) -> Connector:
        """Raises ``Undelivered`` for a service the configuration does not allow: no token goes there."""
        if not self._config.allows_service(service_url):
            raise Undelivered(0)
        return Connector(service_url, self._connector_http)

    async def create_user_token_client(self, *_ignored: Any) -> Connector:
        """The bot signs no user in; the SDK closes what this returns."""
        return Connector("", self._connector_http)
