"""Fetches files that users send in the personal chat from where Teams keeps them.

Teams puts a file into the sender's OneDrive and gives the bot an address that needs no token and is valid for some
minutes ("Send and receive files using bot"; not in the clouds of the US government's high levels nor of China). The
address comes with the message: only Microsoft's hosts are asked.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from bot.hosting.config import is_safe_url
from core.clock import Sleep
from core.http.client import TooLarge, is_loopback_host, read_capped
from core.turns import Turns
from sync.people.imports.values import FileFault, FileRefused

HOSTS = (".sharepoint.com", ".sharepoint.us", ".sharepoint-mil.us")
"""OneDrive for Business and SharePoint in the clouds of ``core.clouds``."""

MAX_BYTES = 48 * 1024 * 1024
SECONDS = 60
GONE = (401, 403, 404, 410)
"""What SharePoint answers to an address that is too old."""

AT_ONCE = 3
"""Files that a process reads at the same time, each of another tenant: each is in memory as a whole."""


Result = TypeVar("Result")
Parse = Callable[[bytes], Iterator[list[Result]]]
"""Parses a file slice by slice: each takes some milliseconds."""


class Files(Protocol):
    async def read(self, tenant: str, url: str, parse: Parse[Result]) -> list[Result]:
        """What ``parse``, which may block, makes of the content of a sent file. Raises ``FileRefused``."""
        ...


class FileDownload:
    """``allows_loopback``: files of this machine are fetched, too, as those of a simulated Teams."""

    def __init__(
        self, http: aiohttp.ClientSession, *, allows_loopback: bool = False, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._http = http
        self._allows_loopback = allows_loopback
        self._tenants: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns = Turns(sleep)

    async def read(self, tenant: str, url: str, parse: Parse[Result]) -> list[Result]:
        """A tenant has one file at a time. ``parse`` runs in a thread, in turns: files do not hold the process."""
        async with self._tenants.setdefault(tenant, asyncio.Lock()), self._slots:
            parts = iter(parse(await self._fetch(url)))
            found: list[Result] = []
            while True:
                async with self._turns.slice():
                    part = await asyncio.to_thread(next, parts, None)
                if part is None:
                    return found
                found += part

    async def _fetch(self, url: str) -> bytes:
        """Ask the host, and no other, within ``SECONDS`` and ``MAX_BYTES``."""
        if not self._is_allowed(url):
            raise FileRefused(FileFault.FOREIGN_HOST)
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._http.get(URL(url, encoded=True), allow_redirects=False) as answer,
            ):
                if answer.status in GONE:
                    raise FileRefused(FileFault.EXPIRED)
                if answer.status != 200:
                    raise FileRefused(FileFault.UNREACHABLE)
                return await read_capped(answer.content.iter_any(), MAX_BYTES)
        except TooLarge:
            raise FileRefused(FileFault.TOO_LARGE, str(MAX_BYTES // 1024**2)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise FileRefused(FileFault.UNREACHABLE) from None

    def _is_allowed(self, url: str) -> bool:
        if not is_safe_url(url):
            return False
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if is_loopback_host(host):
            return self._allows_loopback
        return parts.port in (None, 443) and host.endswith(HOSTS)
