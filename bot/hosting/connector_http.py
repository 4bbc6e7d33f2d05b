"""Calls the channel on our aiohttp session: no thread, a timeout, no redirects, a cached token."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bot.hosting.auth.bot_token import TokenSource
from bot.hosting.delivery import ChannelFailure
from core.http.client import read_capped

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
MAX_ANSWER_BYTES = 1024 * 1024


class ConnectorHttp:
    """Sends requests with the bot's token."""

    def __init__(self, http: aiohttp.ClientSession, tokens: TokenSource) -> None:
        self._http = http
        self._tokens = tokens

    async def request(self, method: str, url: str, headers: Mapping[str, str], data: Any) -> bytes:
        """Return the body of a successful response.

        Raises ``ChannelFailure``, ``Undelivered`` (no token), ``TooLarge``, and aiohttp's errors unchanged.
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
                raise ChannelFailure(answer.status, answer.headers)
            return await read_capped(answer.content.iter_any(), MAX_ANSWER_BYTES)


def parse(method: str, body: bytes) -> Any:
    """The JSON object of a response (for GET: an object or a list); None when there is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, (dict, list) if method == "GET" else dict) else None
