"""What every HTTP client and handler here needs: bounded bodies, Retry-After, origins, text that is safe to log."""

import json
import math
import ssl
import unicodedata
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from os import environ
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import certifi
import orjson

from core.errors import CloudLinkPresenceError

LONGEST_WAIT = 3600.0
"""Seconds: no Retry-After makes us wait longer, whatever the service answers."""

MAX_CONNECTIONS = 400
"""Outgoing connections of a process: more than CloudLink may use (``sync.cloudlink.request_limit``)."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class TooLarge(CloudLinkPresenceError, ValueError):
    """The body is larger than it may be."""


async def read_capped(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """The body, of at most ``limit`` bytes once decompressed; raises ``TooLarge`` as soon as there are more.

    ``chunks`` is such as ``response.content.iter_any()`` (aiohttp, requests too) or ``response.aiter_bytes()``
    (httpx); what iterating raises passes through.
    """
    body = bytearray()
    async for chunk in chunks:
        _append(body, chunk, limit)
    return bytes(body)


def read_capped_blocking(chunks: Iterable[bytes], limit: int) -> bytes:
    """``read_capped`` for a client that lives in a thread: ``response.iter_bytes()``."""
    body = bytearray()
    for chunk in chunks:
        _append(body, chunk, limit)
    return bytes(body)


def _append(body: bytearray, chunk: bytes, limit: int) -> None:
    body += chunk
    if len(body) > limit:
        raise TooLarge(f"more than {limit} bytes")


def json_of(body: bytes) -> Any:
    """JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark. Raises ``ValueError``.

    A name in another encoding, with a control character, or cut off within a character, makes nothing else
    unreadable.
    """
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    try:
        return json.loads(body.decode(json.detect_encoding(body), "replace"), strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, from ``Retry-After``: seconds, fractions of them, or an HTTP date (without a zone: UTC).

    ``now`` is the time by the service's clock, such as ``served_at``. At most ``LONGEST_WAIT``; None for a header
    that is missing or unreadable.
    """
    if not header:
        return None
    seconds = _seconds(header.strip(), now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds(text: str, now: datetime) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now)
    return seconds if math.isfinite(seconds) else None


def _seconds_until(text: str, now: datetime) -> float | None:
    moment = http_date(text)
    return (moment - now).total_seconds() if moment else None


def http_date(text: str) -> datetime | None:
    """An HTTP date, without a zone in UTC; None for one that is unreadable."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def served_at(headers: Mapping[str, str], now: datetime) -> datetime:
    """When the response was sent, by the service's clock; ``now``, by ours, if it does not say."""
    return http_date(headers.get("Date", "")) or now


def cleaned(value: object, limit: int = 200) -> str:
    """A value from outside as text fit for a log: no control or format characters, at most ``limit`` long."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return "".join(c for c in text[:limit] if unicodedata.category(c)[0] != "C")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: where a bearer token may go. Raises ``ValueError`` for text that is no URL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme)


def same_origin(one: str, other: str) -> bool:
    """Whether both URLs are on one server; never for a URL that holds a user name."""
    try:
        has_user = "@" in urlsplit(one).netloc + urlsplit(other).netloc
        return not has_user and origin(one) == origin(other)
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine; ``//host`` asks for a host alone."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address is this machine. No name but ``localhost`` is trusted."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def new_ssl_context() -> ssl.SSLContext:
    """Trusts what the machine and certifi trust; where ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` is set, only that.

    By default aiohttp trusts the machine's certificates, httpx certifi's: behind a proxy that opens TLS, only some
    requests would pass.
    """
    context = ssl.create_default_context()
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & environ.keys():
        context.load_verify_locations(certifi.where())
    return context


def open_http(traces: list[aiohttp.TraceConfig]) -> aiohttp.ClientSession:
    """The session of all requests by aiohttp. Only where there is a proxy it reads the environment.

    That costs each request a thread: aiohttp looks for a password in *.netrc*, too (measured, 3.14).
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=new_ssl_context()),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=traces,
        trust_env=not {"https", "http"}.isdisjoint(getproxies()),
    )


@cache
def ssl_context() -> ssl.SSLContext:
    """For httpx, which would load one for each client, 15 ms of CPU."""
    return new_ssl_context()
