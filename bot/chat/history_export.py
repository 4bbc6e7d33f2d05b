"""History as a CSV file: a link that is valid for ten minutes, and its handler.

The link contains the request encrypted: it cannot be guessed or altered, and nothing has to be stored for it.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aiohttp import web

from bot.cards.history import columns, line
from bot.languages import Language, Texts
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.encryption import Encryption, SecretUnreadable
from storage.queries import history
from sync.domain.roles import Role

PATH = "/exports/"
LINK_LIFETIME = timedelta(minutes=10)
PURPOSE = "history.csv"
MAX_TOKEN_LENGTH = 2000
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


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The history a link leads to, and the person it was made for; an empty ``integration_id`` means all."""

    tenant: str
    person: str
    language: Language
    integration_id: str


class HistoryExport:
    """``public_url`` is the bot's public address; ``own_url`` is reachable from this machine only. Empty: none."""

    def __init__(
        self,
        database: Database,
        encryption: Encryption,
        clock: Clock,
        languages: Mapping[Language, Texts],
        access: AdminsSetting,
        public_url: str = "",
        own_url: str = "",
    ) -> None:
        self._database = database
        self._encryption = encryption
        self._clock = clock
        self._languages = languages
        self._access = access
        self._public_url = public_url
        self._own_url = own_url

    def link(self, request: ExportRequest, service_url: str) -> str:
        """The file's address; empty if the reader, whose chat is at ``service_url``, cannot reach the bot."""
        is_here = urlsplit(service_url).hostname in ("localhost", "127.0.0.1", "::1")
        base = self._public_url or (self._own_url if is_here else "")
        if not base:
            return ""
        payload = {
            "for": PURPOSE,
            "until": (self._clock() + LINK_LIFETIME).isoformat(),
            "tenant": request.tenant,
            "person": request.person,
            "language": request.language.value,
            "integration": request.integration_id,
        }
        return base + PATH + self._encryption.encrypt(json.dumps(payload))

    def request_of(self, token: str) -> ExportRequest | None:
        """The request in a link's token; None for a forged or expired token."""
        try:
            payload = json.loads(self._encryption.decrypt(token[:MAX_TOKEN_LENGTH]))
            if payload["for"] != PURPOSE or datetime.fromisoformat(payload["until"]) <= self._clock():
                return None
            language = Language(payload["language"])
            return ExportRequest(payload["tenant"], payload["person"], language, payload["integration"])
        except (SecretUnreadable, ValueError, KeyError, TypeError):
            return None

    async def _is_allowed(self, request: ExportRequest) -> bool:
        """Whether the person who requested the link still has a role that may read history."""
        async with self._database.session() as session:
            role = await self._access.role_of(session, request.tenant, request.person)
        return role.covers(Role.VIEWER)

    async def lines(self, request: ExportRequest) -> AsyncIterator[str]:
        """The file line by line, the header first."""
        texts = self._languages[request.language]
        yield csv_line(columns(texts))
        async with self._database.session() as session:
            async for entry in history.iterate_all(session, request.tenant, request.integration_id):
                yield csv_line(line(texts, entry))

    async def serve(self, http_request: web.Request) -> web.StreamResponse:
        """The handler for ``GET /exports/{token}``."""
        request = self.request_of(http_request.match_info["token"])
        if request is None or not await self._is_allowed(request):
            return web.Response(status=404, text="This link is not good any more. Ask the bot for a new one.\n")
        name = f"cloudlink-presence-{self._clock():%Y-%m-%d}.csv"
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
