"""History as a CSV file, served to the person with a valid link.

A reader decides how fast the file is read, so no session is open while it is sent: each slice is read in a session
of its own. A download has a time limit, and a tenant has a few downloads at the same time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from bot.cards.history import columns, line
from bot.chat.bot_context import BotContext
from bot.chat.csv_lines import csv_line
from bot.chat.export_links import ExportLinks, ExportRequest
from storage.queries import history
from storage.tables.history import HistoryEntry
from sync.domain.roles import Role

BYTE_ORDER_MARK = "\ufeff"
"""Excel reads a file as UTF-8 only if it begins with this."""

SLICE = 200
"""So many acts are read and sent together."""

HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",
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


class HistoryExport:
    """Serves the file of each link that ``links`` made."""

    def __init__(self, context: BotContext, links: ExportLinks, limits: DownloadLimits | None = None) -> None:
        self._context = context
        self._links = links
        self._limits = limits or DownloadLimits()
        self._running: Counter[str] = Counter()

    async def serve(self, http_request: web.Request) -> web.StreamResponse:
        """The handler for ``GET /exports/{token}``."""
        request = self._links.read(http_request.match_info["token"])
        if request is None:
            return _gone()
        if self._running[request.tenant] >= self._limits.per_tenant:
            sentence = self._context.languages[request.language]("export.busy")
            return web.Response(status=429, text=f"{sentence}\n", headers={"Retry-After": "60"})
        with self._counted(request.tenant):
            return await self._send(http_request, request) if await self._is_allowed(request) else _gone()

    @contextmanager
    def _counted(self, tenant: str) -> Iterator[None]:
        self._running[tenant] += 1
        try:
            yield
        finally:
            self._running[tenant] -= 1
            self._running += Counter()  # forgets the tenants that have none

    async def _is_allowed(self, request: ExportRequest) -> bool:
        """Whether the person who requested the link still has a role that may read history."""
        async with self._context.database.session() as session:
            role = await self._context.access.role_of(session, request.tenant, request.person)
        return role.covers(Role.VIEWER)

    async def _send(self, http_request: web.Request, request: ExportRequest) -> web.StreamResponse:
        """Send the file. A download that is too slow is aborted, so that its part is not taken for the whole."""
        name = f"cloudlink-presence-{self._context.clock():%Y-%m-%d}.csv"
        response = web.StreamResponse(headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'})
        try:
            async with asyncio.timeout(self._limits.seconds):
                await response.prepare(http_request)
                if http_request.method == "GET":
                    async for part in self._parts(request):
                        await response.write(part.encode())
                await response.write_eof()
        except TimeoutError:
            log.warning("export_too_slow", tenant=request.tenant)
            if http_request.transport:
                http_request.transport.abort()
        except ConnectionError:
            log.info("export_not_read", tenant=request.tenant)
        return response

    async def _parts(self, request: ExportRequest) -> AsyncIterator[str]:
        """The file in parts: the header line, then slices of acts."""
        texts = self._context.languages[request.language]
        yield BYTE_ORDER_MARK + csv_line(columns(texts), request.language)
        acts = await self._slice(request, None)
        while acts:
            yield "".join(csv_line(line(texts, act), request.language) for act in acts)
            acts = await self._slice(request, acts[-1])

    async def _slice(self, request: ExportRequest, last: HistoryEntry | None) -> list[HistoryEntry]:
        async with self._context.database.session() as session:
            return await history.slice_after(session, request.tenant, request.integration_id, last, SLICE)


def _gone() -> web.Response:
    return web.Response(status=404, text="This link has expired. Ask the bot for a new one.\n")
