"""Small things every HTTP client here needs: reading what strangers send, without trusting it."""

import math
import unicodedata
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp

from core.errors import CloudLinkPresenceError

LONGEST_WAIT = 3600.0
"""No service makes us wait longer than this many seconds, whatever it answers."""


class TooLarge(CloudLinkPresenceError, ValueError):
    """The body is larger than it may be."""


async def read_capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, decompressed, of at most ``limit`` bytes; raises ``TooLarge``."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"more than {limit} bytes")
    return bytes(body)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, from ``Retry-After``: seconds, fractions of them, or an HTTP date. None for none."""
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
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def cleaned(value: object, limit: int = 200) -> str:
    """A value from outside as text fit for a log: no control or format characters, at most ``limit`` long."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return "".join(c for c in text[:limit] if unicodedata.category(c)[0] != "C")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: where a bearer token may go. Raises ``ValueError`` for what is no URL."""
    parts = urlsplit(url)
    return (
        parts.scheme.lower(),
        (parts.hostname or "").lower(),
        parts.port or _DEFAULT_PORTS.get(parts.scheme.lower()),
    )


_DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(one: str, other: str) -> bool:
    """Whether both are on one server; never for a URL that brings a user name of its own."""
    try:
        named = "@" in urlsplit(one).netloc + urlsplit(other).netloc
        return not named and origin(one) == origin(other)
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
