"""Delivers messages: within Teams' rate limits, with retries, and never again after a 403."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from random import Random
from typing import TypeVar

import aiohttp
import structlog

from bot.activity import Undelivered, Unreachable
from bot.hosting.rate_limit import RateLimit
from core.clock import Clock
from core.errors import CloudLinkPresenceError
from core.http.client import TooLarge, retry_after, served_at

log = structlog.get_logger()

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]

MAX_ATTEMPTS = 4
RETRIED = frozenset({412, 429, 502, 504})
FIRST_PAUSE_SECONDS = 1.0
MAX_WAIT = timedelta(seconds=60)
"""The longest a message waits for the rate limit or a Retry-After; a turn is not delayed longer."""


class ChannelFailure(CloudLinkPresenceError):
    """The channel refused a call: its HTTP status, and its response's headers."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers or {}


class UnreadableResponse(CloudLinkPresenceError, ValueError):
    """The channel answered with success and a body that cannot be parsed."""


class Delivery:
    """Runs calls to the channel with retries.

    Raises ``Unreachable`` for 403 and ``Undelivered`` when the call still fails.
    """

    def __init__(self, rate_limit: RateLimit, clock: Clock, sleep: Sleep, random: Random) -> None:
        self._rate_limit = rate_limit
        self._clock = clock
        self._sleep = sleep
        self._random = random

    async def deliver(self, conversation_id: str, call: Callable[[], Awaitable[T]]) -> T:
        """Send a message or an update; every attempt counts against the conversation's rate limit."""
        try:
            return await self._with_retries(call, conversation_id)
        except (Undelivered, Unreachable) as failure:
            log.warning("message_undelivered", error=type(failure).__name__, status=getattr(failure, "status", 403))
            raise

    async def query(self, call: Callable[[], Awaitable[T]]) -> T:
        """Read from the channel; not counted against the rate limit."""
        return await self._with_retries(call, None)

    async def _with_retries(self, call: Callable[[], Awaitable[T]], conversation_id: str | None) -> T:
        for attempt in range(MAX_ATTEMPTS):
            await self._wait_for_rate_limit(conversation_id)
            try:
                return await _translated(call)
            except ChannelFailure as failure:
                pause = self._pause_after(failure, attempt)
            await self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _wait_for_rate_limit(self, conversation_id: str | None) -> None:
        if conversation_id is None:
            return
        wait = self._rate_limit.reserve(conversation_id, MAX_WAIT)
        if wait is None:
            raise Undelivered(429)
        if wait:
            await self._sleep(wait.total_seconds())

    def _pause_after(self, failure: ChannelFailure, attempt: int) -> float:
        """Seconds until the next attempt. Raises ``Unreachable`` or ``Undelivered`` when there is none."""
        if failure.status == 403:
            raise Unreachable from None
        pause = max(
            FIRST_PAUSE_SECONDS * 2.0**attempt * self._random.uniform(0.5, 1.0),
            retry_after(failure.headers.get("Retry-After"), served_at(failure.headers, self._clock())) or 0.0,
        )
        final = failure.status not in RETRIED or attempt == MAX_ATTEMPTS - 1
        if final or pause > MAX_WAIT.total_seconds():
            raise Undelivered(failure.status) from None
        return pause


async def _translated(call: Callable[[], Awaitable[T]]) -> T:
    """A connection that was never opened is retried like a 502; one that broke may have delivered the message."""
    try:
        return await call()
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise ChannelFailure(502) from None
    except (aiohttp.ClientError, TimeoutError, TooLarge, UnreadableResponse) as error:
        log.info("channel_outcome_unknown", error=type(error).__name__)
        raise Undelivered(0, perhaps=True) from None
