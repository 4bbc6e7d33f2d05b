"""The whole hosting package between real servers: token issuer, Teams and connector."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from bot.activity import Address, Incoming, Turn
from bot.hosting import Host, HostingConfig, open_host
from bot.hosting.host import MakeFramework
from bot.hosting.sdk import botbuilder
from core.metrics import Metrics
from tests.support.clocks import FakeClock
from tests.support.services.connectors import BotEntra, Connector, open_bot_entra, open_connector
from tests.support.services.issuers import Issuer, open_issuer
from tests.support.services.servers import serving

APP_ID = "11111111-2222-3333-4444-555555555555"
PASSWORD = "the-bots-own-password"
TENANT = "aaaaaaaa-0000-0000-0000-00000000000a"
CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Olá"}]}
OTHER_CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Done"}]}

make_framework: MakeFramework = botbuilder
"""The fixture ``framework`` replaces it."""


class SleepingClock(FakeClock):
    """A clock that ``sleep`` advances too."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        self.slept: list[float] = []
        self._latest = self.now

    def steady(self) -> datetime:
        """The same time, which does not go back when this clock is set back."""
        self._latest = max(self._latest, self.now)
        return self._latest

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds=seconds)


@dataclass
class Bot:
    """A bot under test with the servers around it."""

    host: Host
    config: HostingConfig
    url: str
    clock: SleepingClock
    issuer: Issuer
    connector: Connector
    entra: BotEntra
    http: aiohttp.ClientSession
    turns: list[Incoming] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def token(self, **changed: Any) -> str:
        return self.issuer.token(APP_ID, self.connector.url, self.clock(), **changed)

    def activity(self, kind: str = "message", **changed: Any) -> dict[str, Any]:
        """An activity as Teams sends it in a personal chat; a field changed to None is left out."""
        fields: dict[str, Any] = {
            "type": kind,
            "id": "activity-1",
            "channelId": "msteams",
            "serviceUrl": self.connector.url,
            "from": {"id": "29:alex", "name": "Alex", "aadObjectId": "object-1"},
            "recipient": {"id": "28:bot", "name": "Bot"},
            "conversation": {"id": "a:chat;1", "conversationType": "personal", "tenantId": TENANT},
            "channelData": {"tenant": {"id": TENANT}},
            "locale": "pt-PT",
        }
        if kind == "message":
            fields["text"] = "hello"
        return {name: value for name, value in (fields | changed).items() if value is not None}

    def execute(self, verb: str = "save", data: Any = None, **changed: Any) -> dict[str, Any]:
        value = {"action": {"type": "Action.Execute", "verb": verb, "data": data or {}}, "trigger": "manual"}
        fields: dict[str, Any] = {"name": "adaptiveCard/action", "value": value, "replyToId": "card-1"}
        return self.activity("invoke", **fields | changed)

    async def post(self, activity: Any, *, token: str | None = "") -> tuple[int, Any]:
        """Status and JSON body of the answer. ``token`` empty: a valid one; None: no Authorization header."""
        header = {} if token is None else {"Authorization": f"Bearer {token or self.token()}"}
        async with self.http.post(self.url, json=activity, headers=header) as answer:
            body = await answer.read()
            return answer.status, (await answer.json() if body else None)

    def address(self, **changed: Any) -> Address:
        fields = {
            "service_url": self.connector.url,
            "conversation_id": "a:chat;1",
            "tenant_id": TENANT,
            "user_id": "29:alex",
            "bot_id": "28:bot",
            "channel_id": "msteams",
        }
        return Address(**fields | changed)


async def no_reply(_turn: Turn) -> None:
    """A handler that answers nothing."""


@asynccontextmanager
async def open_bot(
    handler: Callable[[Turn], Awaitable[None]] = no_reply, *, answer_seconds: float = 8.0, **settings: Any
) -> AsyncIterator[Bot]:
    """A bot with ``settings`` of its ``HostingConfig`` changed; turns are record_turn, then go to ``handler``."""
    async with AsyncExitStack() as stack:
        clock, turns, registry = SleepingClock(), list[Incoming](), CollectorRegistry()
        issuer = await stack.enter_async_context(open_issuer())
        connector = await stack.enter_async_context(open_connector())
        entra = await stack.enter_async_context(open_bot_entra())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        defaults: dict[str, Any] = {
            "app_id": APP_ID,
            "app_password": PASSWORD,
            "tenant_id": TENANT,
            "openid_metadata_url": issuer.metadata_url,
            "entra_url": entra.url,
            "allowed_service_hosts": ("127.0.0.1",),
        }
        config = HostingConfig(**defaults | settings)

        async def record_turn(turn: Turn) -> None:
            turns.append(turn.incoming)
            await handler(turn)

        host = await stack.enter_async_context(
            open_host(
                config,
                record_turn,
                http,
                clock,
                Metrics(registry),
                steady_clock=clock.steady,
                sleep=clock.sleep,
                random=Random(1),
                answer_seconds=answer_seconds,
                make_framework=make_framework,
            )
        )
        app = web.Application()
        app.router.add_route("*", "/api/messages", host.messages)
        url = await stack.enter_async_context(serving(app)) + "/api/messages"
        yield Bot(host, config, url, clock, issuer, connector, entra, http, turns, registry)
