"""One request to CloudLink and its response, with every failure translated to ours.

Throttling follows Mitel's published sample: honour Retry-After, at most three tries, two seconds plus jitter.
An application that misbehaves can get the customer's whole account locked, so retries are few.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import aiohttp
import structlog
from yarl import URL

from core.clock import Clock, Sleep
from core.http.client import TooLarge, cleaned, json_of, read_capped, retry_after, served_at
from core.version import VERSION
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import Service

APP = f"cloudlink-presence/{VERSION}"
LARGEST_BODY = 5_000_000
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5, sock_connect=5)
TRIES = 3
PAUSE = 2.0
LONGEST_PAUSE = 10.0
"""Seconds; a longer Retry-After is left to the caller instead of sleeping in a call."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CloudLinkResponse:
    """A response: never a 3xx, 429 or 5xx. ``body`` is JSON of ``size`` bytes, None when empty or of a 4xx."""

    status: int
    body: Any
    size: int = 0


class Transport:
    """Sends requests to CloudLink over the session ``http``, which belongs to the caller.

    ``slot`` is entered for the length of each request, such as ``RequestLimit.request_of`` a tenant.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        clock: Clock,
        random: Random,
        sleep: Sleep = asyncio.sleep,
        slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self._http = http
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._slot = slot
        self._app = f"{APP};platform=python;session={uuid4()};"

    async def send(
        self,
        method: str,
        url: str,
        bearer: str = "",
        body: Mapping[str, str] | None = None,
        *,
        as_form: bool = False,
    ) -> CloudLinkResponse:
        """Send ``body`` as JSON or as a form, and retry when throttled.

        Raises ``ServiceUnavailable``; the caller judges a 4xx.
        """
        headers = {"X-Mitel-App": self._app, "Accept": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        tries = 1
        while isinstance(outcome := await self._once(method, url, headers, body, as_form), ServiceUnavailable):
            pause = PAUSE if outcome.retry_after is None else outcome.retry_after
            if tries == TRIES or pause > LONGEST_PAUSE:
                raise outcome
            await self._sleep(pause + self._random.uniform(0, 1))
            tries += 1
        return outcome

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, str] | None, as_form: bool
    ) -> CloudLinkResponse | ServiceUnavailable:
        """A response, or the error of a throttled request as a value."""
        try:
            async with (
                self._slot(),
                self._http.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    json=None if as_form else body,
                    data=body if as_form else None,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    trace_request_ctx=Service.CLOUDLINK,
                ) as response,
            ):
                self._log(response)
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, TooLarge) as error:
            failure = _translate(error)
        raise failure

    async def _read(self, response: aiohttp.ClientResponse) -> CloudLinkResponse | ServiceUnavailable:
        status = response.status
        wait = retry_after(response.headers.get("Retry-After"), served_at(response.headers, self._clock()))
        if status == 429:
            return ServiceUnavailable(Fault.CLOUDLINK_THROTTLED, retry_after=wait)
        if status >= 500:
            raise ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE, retry_after=wait, status=status)
        if status < 200 or status >= 300:
            if status < 400:
                raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, status=status)
            return CloudLinkResponse(status, None)
        content = await read_capped(response.content.iter_any(), LARGEST_BODY)
        return CloudLinkResponse(status, _decoded(content), len(content))

    def _log(self, response: aiohttp.ClientResponse) -> None:
        if response.status >= 400:
            level = logging.INFO if response.status == 404 else logging.WARNING
            log.log(
                level,
                "cloudlink_refused",
                status=response.status,
                host=response.url.host,
                correlation_id=cleaned(response.headers.get("x-mitel-correlation-id"), 100),
            )


def _decoded(body: bytes) -> Any:
    if not body.strip():
        return None
    with suppress(ValueError):
        return json_of(body)
    raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE)


def _translate(error: Exception) -> ServiceUnavailable:
    if isinstance(error, TooLarge | aiohttp.ClientPayloadError):
        return ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, error=type(error).__name__)
    return ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE, error=type(error).__name__)
