"""A CloudLink client against a stub of CloudLink."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp

from sync.cloudlink.client import CloudLink
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import Transport
from sync.domain.model import CloudLinkAccount
from tests.support.sync.stub_server import Reply, StubServer, stub_server

SECRET = "cl0udlink-s3cret-value"
ACCOUNT = CloudLinkAccount(region="", account_id="acc 1", client_id="client-1", client_secret=SECRET)

TOKEN = "POST /authentication/2017-09-01/token"
OWNER = "GET /authentication/2017-09-01/token"
ACCOUNT_ROUTE = "GET /admin/2017-09-01/accounts/acc%201"
USERS = "GET /admin/2017-09-01/accounts/acc%201/users"
SUBSCRIPTIONS = "/notifications/2017-09-01/subscriptions"


def endpoint(extension: str) -> str:
    return f"GET /media/2017-09-01/endpoints/{extension}"


def token_reply(value: str = "token-1", **fields: Any) -> dict[str, Any]:
    return {
        "token_type": "Bearer",
        "expires_in": 3747,
        "access_token": value,
        "refresh_token": "refresh-1",
        **fields,
    }


def page(*items: Any, following: object = None) -> dict[str, Any]:
    links = {"next": following} if following else {}
    return {"count": len(items), "_links": links, "_embedded": {"items": list(items)}}


@dataclass
class ClientHarness:
    """``slept`` is what the client waited, ``now`` what its clock shows."""

    server: StubServer
    http: aiohttp.ClientSession
    slept: list[float] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def client(self, account: CloudLinkAccount = ACCOUNT, tables: WireTables | None = None) -> CloudLink:
        pattern = self.server.url + "/{service}"
        transport = Transport(self.http, lambda: self.now, Random(1), self._sleep)
        return CloudLink(transport, pattern, account, tables or WireTables(), lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def cloudlink_harness() -> AsyncIterator[ClientHarness]:
    async with stub_server() as server, aiohttp.ClientSession() as http:
        server.on(TOKEN, token_reply())
        server.on(OWNER, {"accountId": "acc 1", "role": "ACCOUNT_ADMIN"})
        server.on(ACCOUNT_ROUTE, {"accountId": "acc 1", "name": "Acme"})
        server.on(USERS, page({"userId": "u1", "email": "a@example.com"}))
        yield ClientHarness(server, http)


def throttled(retry_after: str | None = None) -> Reply:
    return Reply({}, 429, {"Retry-After": retry_after} if retry_after else {})
