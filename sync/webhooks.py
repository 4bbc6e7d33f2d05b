"""What CloudLink posts: checked, stored, then answered; nothing is lost after a 2xx.

The path holds the only secret (no signature is documented); whoever does not know it, or speaks for another
account or subscription, learns nothing.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import StrEnum

import orjson
import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from storage import integrations
from storage.database import Database
from storage.integrations import Subscribed
from sync.cloudlink.wire import Malformed, WireTables, parse_notification
from sync.correlation import caused, current_cause
from sync.inbox import Inbox
from sync.line_events import Notification
from sync.metrics import Metrics
from sync.recorder import Recorder
from sync.subscriber import hashed
from sync.together import Together

LARGEST_BODY = 64 * 1024
LONGEST_TOKEN = 128
LONGEST_READ = 15.0

log = structlog.get_logger()


class Answer(StrEnum):
    ACCEPTED = "accepted"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNSUPPORTED = "unsupported"
    NOT_STORED = "not_stored"


STATUS = {
    Answer.ACCEPTED: 202,
    Answer.NOT_FOUND: 404,
    Answer.MALFORMED: 400,
    Answer.TOO_LARGE: 413,
    Answer.TOO_SLOW: 408,
    Answer.UNSUPPORTED: 415,
    Answer.NOT_STORED: 503,
}


class Webhooks:
    """Takes in notifications; ``receive`` is the aiohttp handler for ``POST .../{token}``."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        tables: WireTables,
        metrics: Metrics,
        longest_read: float = LONGEST_READ,
    ) -> None:
        self._database = database
        self._subscribed = Together(self._find)
        self._inbox = Inbox(recorder.record_all)
        self._tables = tables
        self._metrics = metrics
        self._longest_read = longest_read

    async def receive(self, request: web.Request) -> web.Response:
        with caused():
            answer = await self._answered(request)
            if answer is not Answer.ACCEPTED:
                log.warning("webhook_refused", answer=answer.value, length=request.content_length or 0)
        self._metrics.webhooks.labels(answer=answer.value).inc()
        return web.Response(status=STATUS[answer])

    async def _answered(self, request: web.Request) -> Answer:
        """While the database is away CloudLink is asked to come again."""
        try:
            return await self._receive(request)
        except SQLAlchemyError as error:
            log.error("webhook_not_stored", error=type(error).__name__)
            return Answer.NOT_STORED

    async def _receive(self, request: web.Request) -> Answer:
        integration = await self._integration(request.match_info["token"])
        if integration is None:
            return Answer.NOT_FOUND
        if request.content_type != "application/json":
            return Answer.UNSUPPORTED
        body = await _read(request, self._longest_read)
        return body if isinstance(body, Answer) else await self._take(integration, body)

    async def handle(self, token: str, body: bytes) -> Answer:
        """Check and store one notification."""
        integration = await self._integration(token)
        return Answer.NOT_FOUND if integration is None else await self._take(integration, body)

    async def _integration(self, token: str) -> Subscribed | None:
        return None if len(token) > LONGEST_TOKEN else await self._subscribed.ask(hashed(token))

    async def _find(self, token_hashes: Collection[str]) -> Mapping[str, Subscribed]:
        async with self._database.session() as session:
            return await integrations.by_webhook(session, token_hashes)

    async def _take(self, integration: Subscribed, body: bytes) -> Answer:
        try:
            notification = parse_notification(orjson.loads(body), self._tables)
        except (Malformed, orjson.JSONDecodeError):
            return Answer.MALFORMED
        if not _is_ours(integration, notification):
            return Answer.NOT_FOUND
        key = integration.integration_id
        log.info("webhook_taken", integration=key, correlation_id=notification.correlation_id)
        await self._inbox.put(key, replace(notification.event, cause=current_cause()))
        return Answer.ACCEPTED


def _is_ours(integration: Subscribed, notification: Notification) -> bool:
    account = integration.account_id.strip().casefold()
    return (
        notification.account_id.casefold() == account
        and bool(integration.subscription_id)
        and notification.subscription_id == integration.subscription_id
    )


async def _read(request: web.Request, seconds: float) -> bytes | Answer:
    """The body, decompressed, or what is wrong with it."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > LARGEST_BODY:
                    return Answer.TOO_LARGE
    except TimeoutError:
        return Answer.TOO_SLOW
    except web.RequestPayloadError:
        return Answer.MALFORMED
    return bytes(body)
