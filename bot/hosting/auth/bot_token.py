"""The bot's own token for the Bot Framework: by msal, in a thread, shared by all turns until it expires."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Protocol

import httpx
import msal
import structlog

from bot.activity import Undelivered
from bot.hosting.config import AppType, HostingConfig
from core.clock import Clock
from core.http.client import cleaned
from sync.teams.entra_errors import code_in
from sync.teams.managed_identity import acquire_token
from sync.teams.msal_http import EntraUnavailable, MsalHttp, authority

log = structlog.get_logger()

EARLY = timedelta(minutes=5)
HELP = (
    "Entra ID refuses the bot's own credentials: it cannot answer or warn anyone in Teams; calls are still shown. "
    "Add a client secret to the bot's registration, set BOT_APP_PASSWORD to its Value and restart."
)
HELP_UNREACHABLE = (
    "Entra ID does not answer this machine: the bot cannot answer or warn anyone in Teams. See whether the machine "
    "reaches the address in ENTRA_URL, directly or by proxy, or its managed identity. If aadsts is not 0, it does: "
    "BOT_TENANT_ID is wrong."
)
CHECK_EVERY = timedelta(minutes=1)
_BOT_FRAMEWORK_TENANT = "botframework.com"

TokenAnswer = Mapping[str, Any]


class TokenSource(Protocol):
    async def get(self) -> str:
        """A bearer token, empty when none is to be sent. Raises ``Undelivered`` when there is none."""
        ...

    async def is_accepted(self) -> bool:
        """Whether Entra ID accepts the bot's own credentials; True while it does not answer. Raises nothing."""
        ...

    async def is_reachable(self) -> bool:
        """Whether Entra ID answered when it was asked last, were it with a refusal. Raises nothing."""
        ...


class NoToken:
    """For a bot without an app id, on a developer's machine."""

    async def get(self) -> str:
        return ""

    async def is_accepted(self) -> bool:
        return True

    async def is_reachable(self) -> bool:
        return True


class BotToken:
    """Fetches a token with ``acquire``, which may block, in a thread, and caches it until it is about to expire."""

    def __init__(self, acquire: Callable[[], TokenAnswer], clock: Clock) -> None:
        self._acquire = acquire
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until: datetime | None = None
        self._is_refused = False
        self._is_unreachable = False
        self._checked_at: datetime | None = None

    async def is_accepted(self) -> bool:
        await self._check()
        return not self._is_refused

    async def is_reachable(self) -> bool:
        await self._check()
        return not self._is_unreachable

    async def _check(self) -> None:
        """Ask Entra ID, at most once in ``CHECK_EVERY``, and not while a token is good."""
        now = self._clock()
        if self._checked_at is None or now >= self._checked_at + CHECK_EVERY:
            self._checked_at = now
            with suppress(Undelivered):
                await self.get()

    async def get(self) -> str:
        async with self._lock:
            if self._good_until is None or self._clock() >= self._good_until:
                await self._fetch()
            return self._token

    async def _fetch(self) -> None:
        requested_at = self._clock()
        try:
            answer = await asyncio.to_thread(self._acquire)
        except (httpx.HTTPError, EntraUnavailable, msal.exceptions.MsalError, ValueError) as error:
            code = code_in(f"{error} {error.__context__ or ''}")
            self._is_unreachable = True
            log.error("bot_token_unreachable", error=type(error).__name__, aadsts=code, help=HELP_UNREACHABLE)
            raise Undelivered(0) from None
        self._is_unreachable = False
        token, lifetime = answer.get("access_token"), answer.get("expires_in")
        self._is_refused = not isinstance(token, str) or not isinstance(lifetime, int)
        if not isinstance(token, str) or not isinstance(lifetime, int):
            code = code_in(str(answer.get("error_description") or ""))
            log.error("bot_token_refused", error=cleaned(answer.get("error"), 100), aadsts=code, help=HELP)
            raise Undelivered(401)
        self._token = token
        self._good_until = requested_at + max(timedelta(seconds=lifetime) - EARLY, timedelta(seconds=lifetime / 2))


def token_source(config: HostingConfig, clock: Clock) -> TokenSource:
    if not config.app_id:
        return NoToken()
    if config.app_type is AppType.USER_ASSIGNED_MSI:
        return BotToken(partial(acquire_token, config.app_id, config.token_issuer), clock)
    return BotToken(_client_secret(config), clock)


def _client_secret(config: HostingConfig) -> Callable[[], TokenAnswer]:
    """Builds the msal client at the first call, in the thread: its constructor calls Entra."""
    tenant = _BOT_FRAMEWORK_TENANT if config.app_type is AppType.MULTI_TENANT else config.tenant_id

    @cache
    def client() -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            config.app_id,
            client_credential=config.app_password,
            authority=authority(config.entra_url, tenant),
            instance_discovery=False,
            http_client=MsalHttp(config.entra_url),
        )

    def acquire() -> TokenAnswer:
        answer: TokenAnswer = client().acquire_token_for_client(scopes=[f"{config.token_issuer}/.default"])
        return answer

    return acquire
