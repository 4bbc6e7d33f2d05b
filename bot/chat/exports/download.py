"""Files, served to the person with a valid link.

A reader decides how fast a file is read, so no session is open while it is sent: each slice is read in a session
of its own. A download has a time limit, and a tenant has a few downloads at the same time. Of all downloads in a
process one slice is read at a time, with a pause after it: however many files are read, others are served.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from bot.chat.bot_context import BotContext
from bot.chat.exports.files import ExportFile
from bot.chat.exports.links import ExportLinks, ExportRequest
from core.clock import Sleep
from core.turns import Turns
from sync.domain.model import UnknownIntegration
from sync.domain.roles import Role

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """``seconds`` for a whole download; ``per_tenant`` downloads of a tenant at the same time, in each process."""

    seconds: float = 300
    per_tenant: int = 3


class Exports:
    """Serves the file of each link that ``links`` made; ``files`` are by the name in the link."""

    def __init__(
        self,
        context: BotContext,
        links: ExportLinks,
        files: Mapping[str, ExportFile],
        limits: DownloadLimits | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._context = context
        self._links = links
        self._files = files
        self._limits = limits or DownloadLimits()
        self._running: Counter[str] = Counter()
        self._turns = Turns(sleep)

    async def serve(self, http_request: web.Request) -> web.StreamResponse:
        """The handler for ``GET /exports/{token}``."""
        request = self._links.read(http_request.match_info["token"])
        file = self._files.get(request.file) if request else None
        if request is None or file is None:
            return _gone()
        if self._running[request.tenant] >= self._limits.per_tenant:
            sentence = self._context.languages[request.language]("export.busy")
            return web.Response(status=429, text=f"{sentence}\n", headers={"Retry-After": "60"})
        with self._counted(request.tenant):
            if not await self._is_allowed(request, file.least):
                return _gone()
            return await self._send(http_request, request, file)

    @contextmanager
    def _counted(self, tenant: str) -> Iterator[None]:
        self._running[tenant] += 1
        try:
            yield
        finally:
            self._running[tenant] -= 1
            self._running += Counter()  # forgets the tenants that have none

    async def _is_allowed(self, request: ExportRequest, least: Role) -> bool:
        """Whether the person who requested the link still has a role that may read the file."""
        async with self._context.database.session() as session:
            role = await self._context.access.role_of(session, request.tenant, request.person)
        return role.covers(least)

    async def _send(
        self, http_request: web.Request, request: ExportRequest, file: ExportFile
    ) -> web.StreamResponse:
        """Send the file; a part of one that is too slow, or ends early, is aborted and not taken for the whole."""
        parts = self._in_turn(file.parts(self._context.languages[request.language], request))
        response = web.StreamResponse(headers=self._headers(file))
        try:
            async with asyncio.timeout(self._limits.seconds):
                first = await anext(parts)
                await response.prepare(http_request)
                if http_request.method == "GET":
                    await _write(response, first, parts)
                await response.write_eof()
        except UnknownIntegration:
            if not response.prepared:
                return _gone()
            _abort(http_request)
        except TimeoutError:
            log.warning("export_too_slow", tenant=request.tenant)
            _abort(http_request)
        except ConnectionError:
            log.info("export_not_read", tenant=request.tenant)
        return response

    async def _in_turn(self, parts: AsyncIterator[str]) -> AsyncIterator[str]:
        """The parts, each read when no other download reads, and followed by a pause before the next of any."""
        while True:
            async with self._turns.slice():
                part = await anext(parts, None)
            if part is None:
                return
            yield part

    def _headers(self, file: ExportFile) -> dict[str, str]:
        name = f"{file.name}-{self._context.clock():%Y-%m-%d}.{file.extension}"
        named = {"Content-Type": file.content_type, "Content-Disposition": f'attachment; filename="{name}"'}
        return {**HEADERS, **named}


async def _write(response: web.StreamResponse, first: str, parts: AsyncIterator[str]) -> None:
    await response.write(first.encode())
    async for part in parts:
        await response.write(part.encode())


def _abort(http_request: web.Request) -> None:
    if http_request.transport:
        http_request.transport.abort()


def _gone() -> web.Response:
    return web.Response(status=404, text="This link has expired. Ask the bot for a new one.\n")
