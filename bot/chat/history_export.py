"""History as a CSV file, served to the person with a valid link."""

import csv
import io
from collections.abc import AsyncIterator

from aiohttp import web

from bot.cards.history import columns, line
from bot.chat.bot_context import BotContext
from bot.chat.export_links import ExportLinks, ExportRequest
from storage.queries import history
from sync.domain.roles import Role

BYTE_ORDER_MARK = "\ufeff"
"""Excel reads a file as UTF-8 only if it begins with this."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins with one of these is a formula in a spreadsheet (OWASP, CSV injection)."""

HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class HistoryExport:
    """Serves the file of each link that ``links`` made."""

    def __init__(self, context: BotContext, links: ExportLinks) -> None:
        self._context = context
        self._links = links

    async def _is_allowed(self, request: ExportRequest) -> bool:
        """Whether the person who requested the link still has a role that may read history."""
        async with self._context.database.session() as session:
            role = await self._context.access.role_of(session, request.tenant, request.person)
        return role.covers(Role.VIEWER)

    async def lines(self, request: ExportRequest) -> AsyncIterator[str]:
        """The file line by line, the header first."""
        texts = self._context.languages[request.language]
        yield csv_line(columns(texts))
        async with self._context.database.session() as session:
            async for entry in history.iterate_all(session, request.tenant, request.integration_id):
                yield csv_line(line(texts, entry))

    async def serve(self, http_request: web.Request) -> web.StreamResponse:
        """The handler for ``GET /exports/{token}``."""
        request = self._links.read(http_request.match_info["token"])
        if request is None or not await self._is_allowed(request):
            return web.Response(status=404, text="This link is not good any more. Ask the bot for a new one.\n")
        name = f"cloudlink-presence-{self._context.clock():%Y-%m-%d}.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        response = web.StreamResponse(headers=headers)
        await response.prepare(http_request)
        if http_request.method == "GET":
            await response.write(BYTE_ORDER_MARK.encode())
            async for line_ in self.lines(request):
                await response.write(line_.encode())
        await response.write_eof()
        return response


def csv_line(cells: list[str]) -> str:
    """A line of CSV (RFC 4180), safe to open in a spreadsheet."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([f"'{cell}" if cell.startswith(DANGEROUS) else cell for cell in cells])
    return buffer.getvalue()
