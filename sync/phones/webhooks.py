"""Receives CloudLink's notifications: checks and stores them, then responds; after a 2xx nothing is lost.

The token in the path is the only secret (no signature is documented). A request without it, or for another account
or subscription, gets a 404.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from core.coalescing import BatchLoader
from core.correlation import caused, current_cause
from core.http.client import TooLarge, json_of, read_capped
from core.limited_log import LimitedLog
from core.logging import describe_error
from core.rates import Buckets, Rate
from storage.queries import integrations
from storage.queries.integrations import Subscribed
from sync.cloudlink.tables import WireTables
from sync.cloudlink.wire import Malformed, parse_notification
from sync.domain.context import Context
from sync.domain.phone_events import Notification
from sync.flow.flow import Flow
from sync.phones.lost_events import LostEvents
from sync.phones.subscriptions import hashed

MAX_BODY = 64 * 1024
MAX_TOKEN = 128
MAX_KNOWN = 10_000
"""Webhooks that are remembered, so that they are not read for each event."""
MAX_NOTIFICATIONS = 100
"""In one body."""

log = structlog.get_logger()


class WebhookResult(StrEnum):
    """What was done with a request: a value of the metric's label ``answer``."""

    ACCEPTED = "accepted"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    TOO_OFTEN = "too_often"
    NOT_STORED = "not_stored"


STATUS = {
    WebhookResult.ACCEPTED: 202,
    WebhookResult.NOT_FOUND: 404,
    WebhookResult.MALFORMED: 400,
    WebhookResult.TOO_LARGE: 413,
    WebhookResult.TOO_SLOW: 408,
    WebhookResult.TOO_OFTEN: 429,
    WebhookResult.NOT_STORED: 503,
}


LOST = frozenset(
    {WebhookResult.NOT_STORED, WebhookResult.TOO_LARGE, WebhookResult.TOO_SLOW, WebhookResult.TOO_OFTEN}
)
"""An event came and is not stored: it is not certain that CloudLink sends it again."""


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """A body must arrive within ``read_seconds``; ``rate`` is for the notifications of one tenant, in a process.

    Ten thousand phones with ten calls an hour send about 140 events a second.
    """

    read_seconds: float = 15
    rate: Rate = Rate(2000, 200)


class Webhooks:
    """Receives notifications; ``receive`` is the aiohttp handler for ``.../{token}``, whatever the method.

    A request with the token is CloudLink's, so any content type and encoding are accepted, and several
    notifications at once. An administrator of the account can learn the token too, so there are ``limits``.
    """

    def __init__(
        self, context: Context, flow: Flow, tables: WireTables, limits: WebhookLimits | None = None
    ) -> None:
        self._limits = limits or WebhookLimits()
        self._rates = Buckets(self._limits.rate)
        self._log = LimitedLog()
        self._lost = LostEvents(context)
        self._database = context.database
        self._subscriptions = BatchLoader(self._find)
        self._flow = flow
        self._known: dict[str, Subscribed] = {}
        self._tables = tables
        self._metrics = context.metrics

    async def receive(self, request: web.Request) -> web.Response:
        with caused():
            result = await self._handle_request(request)
            if result in LOST:
                self._lost.add(hashed(request.match_info["token"]))
            if result is not WebhookResult.ACCEPTED:
                length = request.content_length or 0
                self._log.warning("webhook_refused", result, answer=result.value, length=length)
        self._metrics.webhooks.labels(answer=result.value).inc()
        return web.Response(status=STATUS[result])

    @property
    def is_caught_up(self) -> bool:
        """Whether no lost event is left of which the store does not know."""
        return self._lost.is_empty

    async def close(self) -> None:
        await self._lost.close()

    async def _handle_request(self, request: web.Request) -> WebhookResult:
        """While the database is unavailable the status is 503, so that CloudLink retries."""
        try:
            return await self._read_and_store(request)
        except SQLAlchemyError as error:
            log.error("webhook_not_stored", error=describe_error(error))
            return WebhookResult.NOT_STORED

    async def _read_and_store(self, request: web.Request) -> WebhookResult:
        token = request.match_info["token"]
        integration = await self._integration(token)
        if integration is None:
            return WebhookResult.NOT_FOUND
        body = await _read(request, self._limits.read_seconds)
        if isinstance(body, WebhookResult):
            return body
        items = _decoded(body)
        if len(items) > MAX_NOTIFICATIONS:
            return WebhookResult.TOO_LARGE
        if not self._rates.take(integration.owner_tenant, max(1, len(items))):
            return WebhookResult.TOO_OFTEN
        result = await self._store(integration, items)
        if result is WebhookResult.ACCEPTED or self._known.pop(integration.token_hash, None) is None:
            return result
        newest = await self._integration(token)  # it may have changed since it was read
        return await self._store(newest, items) if newest else WebhookResult.NOT_FOUND

    async def _integration(self, token: str) -> Subscribed | None:
        """The integration of the webhook; what is known of it is verified when events are stored."""
        if len(token) > MAX_TOKEN:
            return None
        name = hashed(token)
        if name in self._known:
            return self._known[name]
        found = await self._subscriptions.load(name)
        if found and len(self._known) < MAX_KNOWN:
            self._known[name] = found
        return found

    async def _find(self, token_hashes: Collection[str]) -> Mapping[str, Subscribed]:
        async with self._database.session() as session:
            return await integrations.by_webhook(session, token_hashes)

    async def _store(self, integration: Subscribed, items: Sequence[Any]) -> WebhookResult:
        """Store every notification that is readable and for this integration; the others are worth a log line."""
        notifications = self._parse(items)
        ours = [each for each in notifications if _is_ours(integration, each)]
        if not ours:
            return WebhookResult.NOT_FOUND if notifications else WebhookResult.MALFORMED
        key = integration.integration_id
        for each in ours:
            log.info("webhook_received", integration=key, correlation_id=each.correlation_id)
        events = [replace(each.event, cause=current_cause()) for each in ours]
        is_stored = await self._flow.store_events(integration, events)
        return WebhookResult.ACCEPTED if is_stored else WebhookResult.NOT_FOUND

    def _parse(self, items: Sequence[Any]) -> list[Notification]:
        """The readable ones of a body's items."""
        found, fields = [], []
        for item in items:
            try:
                found.append(parse_notification(item, self._tables))
            except Malformed as error:
                fields.append(error.field)
        if fields:
            self._log.warning("notifications_malformed", "", count=len(fields), field=fields[0])
        return found


def _is_ours(integration: Subscribed, notification: Notification) -> bool:
    """By the ids of account and subscription, without regard to case."""
    ours = integration.account_id.strip(), integration.subscription_id
    named = notification.account_id, notification.subscription_id
    return bool(integration.subscription_id) and [*map(str.casefold, ours)] == [*map(str.casefold, named)]


def _decoded(body: bytes) -> list[Any]:
    """The items of a body; none if it is unreadable."""
    try:
        found = json_of(body)
    except ValueError:
        return []
    return found if isinstance(found, list) else [found]


async def _read(request: web.Request, seconds: float) -> bytes | WebhookResult:
    """The body, decompressed, or why it is rejected."""
    try:
        async with asyncio.timeout(seconds):
            return await read_capped(request.content.iter_any(), MAX_BODY)
    except TooLarge:
        return WebhookResult.TOO_LARGE
    except TimeoutError:
        return WebhookResult.TOO_SLOW
    except web.RequestPayloadError:
        return WebhookResult.MALFORMED
