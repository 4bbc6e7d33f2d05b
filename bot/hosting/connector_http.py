"""Calls to the channel on our aiohttp session: no thread, a timeout, no redirect, a cached token."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bot.hosting.bot_token import TokenSource
from bot.hosting.delivery import ChannelFailure
from core.http import read_capped

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
MAX_ANSWER_BYTES = 1024 * 1024


class ConnectorHttp:
    """Sends with the bot's token, which is fetched beforehand."""

    def __init__(self, http: aiohttp.ClientSession, tokens: TokenSource) -> None:
        self._http = http
        self._tokens = tokens

    async def request(self, method: str, url: str, headers: Mapping[str, str], data: Any) -> bytes:
        """The body of a success.

        Raises ``ChannelFailure``, ``Undelivered`` (no token), ``TooLarge``, and aiohttp's errors as they are.
        """
        token = await self._tokens.get()
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(
            method,
            URL(url, encoded=True),
            headers={**headers, **bearer},
            data=data,
            timeout=TIMEOUT,
            allow_redirects=False,
        ) as answer:
            if not 200 <= answer.status < 300:
                raise ChannelFailure(answer.status, answer.headers.get("Retry-After", ""))
            return await read_capped(answer.content.iter_any(), MAX_ANSWER_BYTES)


def parse(method: str, body: bytes) -> Any:
    """The object of an answer (asked with GET: or list), None when there was none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, (dict, list) if method == "GET" else dict) else None
