"""Reads what somebody else sends, up to a limit."""

import aiohttp

from core.errors import CloudLinkPresenceError


class TooLarge(CloudLinkPresenceError, ValueError):
    """The stream went on beyond the limit."""


async def read_at_most(stream: aiohttp.StreamReader, limit: int) -> bytes:
    """All of ``stream``. Raises ``TooLarge`` as soon as it passes ``limit`` bytes."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)
