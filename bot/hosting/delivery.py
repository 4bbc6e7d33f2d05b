"""Gets a message through: at the pace Teams allows, again when the channel says "later", never after a 403."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import TypeVar

import aiohttp
import structlog

from bot.activity import Undelivered, Unreachable
from bot.hosting.rate_limit import RateLimit
from core.clock import Clock
from core.errors import CloudLinkPresenceError
from core.http import TooLarge, retry_after

log = structlog.get_logger()

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]

TRIES = 4
RETRIED = frozenset({412, 429, 502, 504})
FIRST_PAUSE = 1.0
PATIENCE = timedelta(seconds=60)
"""The longest a message waits for its moment or for a Retry-After; a turn is not held up longer."""


class ChannelFailure(CloudLinkPresenceError):
    """The channel answered no: its HTTP status, and its Retry-After as it was written."""

    def __init__(self, status: int, retry_after: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after


class Unreadable(CloudLinkPresenceError, ValueError):
    """The channel answered yes, and something that cannot be read."""


class Delivery:
    """Runs calls to the channel. Raises ``Unreachable`` for 403 and ``Undelivered`` for what stays a failure."""

    def __init__(self, pace: RateLimit, clock: Clock, sleep: Sleep, random: Random) -> None:
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._random = random

    async def deliver(self, conversation_id: str, call: Callable[[], Awaitable[T]]) -> T:
        """A message or an update: counted against the conversation's limits, each try again."""
        try:
            return await self._retried(call, conversation_id)
        except (Undelivered, Unreachable) as failure:
            log.warning("message_not_taken", error=type(failure).__name__, status=getattr(failure, "status", 403))
            raise

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """A question to the channel: not counted."""
        return await self._retried(call, None)

    async def _retried(self, call: Callable[[], Awaitable[T]], conversation_id: str | None) -> T:
        for attempt in range(TRIES):
            await self._wait_for_moment(conversation_id)
            try:
                return await _translated(call)
            except ChannelFailure as failure:
                pause = self._pause_after(failure, attempt)
            await self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _wait_for_moment(self, conversation_id: str | None) -> None:
        if conversation_id is None:
            return
        wait = self._pace.reserve(conversation_id, PATIENCE)
        if wait is None:
            raise Undelivered(429)
        if wait:
            await self._sleep(wait.total_seconds())

    def _pause_after(self, failure: ChannelFailure, attempt: int) -> float:
        """Seconds until the next try. Raises what ``failure`` means when there is to be none."""
        if failure.status == 403:
            raise Unreachable from None
        pause = max(
            FIRST_PAUSE * 2.0**attempt * self._random.uniform(0.5, 1.0),
            retry_after(failure.retry_after, self._clock()) or 0.0,
        )
        final = failure.status not in RETRIED or attempt == TRIES - 1
        if final or pause > PATIENCE.total_seconds():
            raise Undelivered(failure.status) from None
        return pause


async def _translated(call: Callable[[], Awaitable[T]]) -> T:
    """A connection that never came about may be tried again like a 502; one that broke may have delivered."""
    try:
        return await call()
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise ChannelFailure(502) from None
    except (aiohttp.ClientError, TimeoutError, TooLarge, Unreadable) as error:
        log.info("channel_outcome_unknown", error=type(error).__name__)
        raise Undelivered(0, perhaps=True) from None
