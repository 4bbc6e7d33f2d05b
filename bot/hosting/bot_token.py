"""The bot's own token for the Bot Framework: by msal, in a thread, one for all turns until it nears its end."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import msal
import requests
import structlog
from requests.adapters import HTTPAdapter

from bot.activity import Undelivered
from bot.hosting.config import AppType, HostingConfig
from core.clock import Clock

log = structlog.get_logger()

EARLY = timedelta(minutes=5)
TIMEOUT_SECONDS = 10
_BOT_FRAMEWORK_TENANT = "botframework.com"

TokenAnswer = Mapping[str, Any]


class TokenSource(Protocol):
    async def get(self) -> str:
        """A bearer token, empty when none is to be sent. Raises ``Undelivered`` when none is to be had."""
        ...


class NoToken:
    """For a bot without an app id, on a developer's machine."""

    async def get(self) -> str:
        return ""


class BotToken:
    """Fetches a token with ``acquire``, which may block, in a thread, and keeps it until it nears its end."""

    def __init__(self, acquire: Callable[[], TokenAnswer], clock: Clock) -> None:
        self._acquire = acquire
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until: datetime | None = None

    async def get(self) -> str:
        async with self._lock:
            if self._good_until is None or self._clock() >= self._good_until:
                await self._fetch()
            return self._token

    async def _fetch(self) -> None:
        asked_at = self._clock()
        try:
            answer = await asyncio.to_thread(self._acquire)
        except (requests.RequestException, msal.exceptions.MsalError, ValueError) as error:
            log.error("bot_token_unreachable", error=type(error).__name__)
            raise Undelivered(0) from None
        token, lifetime = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(lifetime, int):
            log.error("bot_token_refused", error=str(answer.get("error"))[:100])
            raise Undelivered(401)
        self._token = token
        self._good_until = asked_at + max(timedelta(seconds=lifetime) - EARLY, timedelta(seconds=lifetime / 2))


def token_source(config: HostingConfig, clock: Clock) -> TokenSource:
    if not config.app_id:
        return NoToken()
    if config.app_type is AppType.USER_ASSIGNED_MSI:
        return BotToken(_managed_identity(config), clock)
    return BotToken(_client_secret(config), clock)


def _client_secret(config: HostingConfig) -> Callable[[], TokenAnswer]:
    """Builds the msal client at the first call, in the thread: its constructor speaks to Entra."""
    client: list[msal.ConfidentialClientApplication] = []

    def acquire() -> TokenAnswer:
        if not client:
            client.append(
                msal.ConfidentialClientApplication(
                    config.app_id,
                    client_credential=config.app_password,
                    authority=f"{_as_https(config.entra_url)}/{_authority_tenant(config)}",
                    instance_discovery=False,
                    http_client=_http_client(config.entra_url),
                )
            )
        answer: TokenAnswer = client[0].acquire_token_for_client(scopes=[f"{config.token_issuer}/.default"])
        return answer

    return acquire


def _managed_identity(config: HostingConfig) -> Callable[[], TokenAnswer]:
    client = msal.ManagedIdentityClient(
        msal.UserAssignedManagedIdentity(client_id=config.app_id), http_client=_http_client("")
    )

    def acquire() -> TokenAnswer:
        answer: TokenAnswer = client.acquire_token_for_client(resource=config.token_issuer)
        return answer

    return acquire


def _authority_tenant(config: HostingConfig) -> str:
    return _BOT_FRAMEWORK_TENANT if config.app_type is AppType.MULTI_TENANT else config.tenant_id


def _as_https(url: str) -> str:
    """msal takes https authorities only; ``_PlainLoopback`` undoes this for a server on this machine."""
    return "https://" + url.rstrip("/").removeprefix("https://").removeprefix("http://")


def _http_client(entra_url: str) -> requests.Session:
    session = _BoundSession()
    if urlsplit(entra_url).scheme == "http":
        session.mount(_as_https(entra_url) + "/", _PlainLoopback(entra_url.rstrip("/")))
    return session


class _BoundSession(requests.Session):
    """Never waits for ever, and takes the password nowhere else: requests has no timeout, and follows redirects."""

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", TIMEOUT_SECONDS)
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


class _PlainLoopback(HTTPAdapter):
    """Speaks http where msal insists on https, in addresses it is given too: mounted for one loopback server."""

    def __init__(self, plain_url: str) -> None:
        super().__init__()
        self._plain = plain_url
        self._secure = _as_https(plain_url)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace(self._secure, self._plain, 1)
        response = super().send(request, *args, **kwargs)
        response._content = response.content.replace(self._plain.encode(), self._secure.encode())
        return response
