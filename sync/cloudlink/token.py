"""The token that all calls of a CloudLink client share: fetched once, renewed before it expires.

Documented (CloudLink developer site, "Authentication"): ``POST token`` with JSON, the grants
``client_credentials`` and ``refresh_token``, and the response's fields. The body of the client_credentials grant
is from Mitel's developer forum, where it is a form: it is sent as JSON, and as a form if that is refused. Sources
differ on the refresh token's name: when refreshing fails, a fresh grant follows.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.clock import Clock
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import CloudLinkResponse, Transport
from sync.cloudlink.wire import text_of
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import CloudLinkAccount

MARGIN = timedelta(seconds=60)
DEFAULT_LIFETIME = 300
LONGEST_TOKEN = 20_000
NOT_READ = frozenset({400, 415})
"""How a body in another format than the expected one may be refused."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    refresh: str = field(repr=False)
    renew_at: datetime


class SharedToken:
    """The current token; the first caller after it is due renews it while the others wait."""

    def __init__(
        self, transport: Transport, url: str, account: CloudLinkAccount, tables: WireTables, clock: Clock
    ) -> None:
        self._transport = transport
        self._url = url
        self._account = account
        self._tables = tables
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._as_form = False

    async def get(self, refused: str = "") -> str:
        """A token that is valid for a while. The token ``refused`` by CloudLink is replaced by a fresh grant.

        Raises ``CredentialsWrong`` (CLOUDLINK_REFUSED, CLOUDLINK_ACCOUNT_UNKNOWN) and ``ServiceUnavailable``.
        """
        async with self._lock:
            if self._token and self._token.value == refused:
                self._token = None
            if self._token is None:
                self._token = await self._grant()
            elif self._clock() >= self._token.renew_at:
                self._token = await self._refresh(self._token) or await self._grant()
            return self._token.value

    async def _grant(self) -> _Token:
        account = self._account
        body = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
            "account_id": account.account_id,
        }
        response = await self._post(body)
        if response.status in NOT_READ:
            response = await self._in_the_other_format(body, response)
        if response.status == 404:
            raise CredentialsWrong(Fault.CLOUDLINK_ACCOUNT_UNKNOWN)
        if response.status >= 400:
            raise CredentialsWrong(Fault.CLOUDLINK_REFUSED, status=response.status)
        if token := self._read(response):
            return token
        raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE)

    async def _in_the_other_format(self, body: Mapping[str, str], refused: CloudLinkResponse) -> CloudLinkResponse:
        """The response to it, which is the format from now on if it is accepted; else ``refused``."""
        self._as_form = not self._as_form
        response = await self._post(body)
        if response.status not in NOT_READ:
            return response
        self._as_form = not self._as_form
        return refused

    async def _refresh(self, old: _Token) -> _Token | None:
        if not old.refresh:
            return None
        response = await self._post({"grant_type": "refresh_token", self._tables.refresh_field: old.refresh})
        return self._read(response) if response.status < 400 else None

    async def _post(self, body: Mapping[str, str]) -> CloudLinkResponse:
        return await self._transport.send("POST", self._url, body=body, as_form=self._as_form)

    def _read(self, response: CloudLinkResponse) -> _Token | None:
        body = response.body if isinstance(response.body, Mapping) else {}
        value = text_of(body.get("access_token"), LONGEST_TOKEN)
        refresh = text_of(body.get("refresh_token"), LONGEST_TOKEN) or text_of(body.get("token"), LONGEST_TOKEN)
        lifetime = timedelta(seconds=_lifetime(body.get("expires_in")))
        renew_at = self._clock() + max(lifetime - MARGIN, lifetime / 2)
        return _Token(value, refresh, renew_at) if value.isascii() and value else None


def _lifetime(value: object) -> int:
    text = text_of(value)
    return min(int(text), 86_400) if text.isdecimal() and len(text) < 10 else DEFAULT_LIFETIME
