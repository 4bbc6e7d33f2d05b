"""History as a file: a link that is good for ten minutes, and what it leads to.

The link carries what it stands for, sealed: nobody can guess or alter it, and nothing has to be kept for it.
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
from storage.queries.roles import Role

PATH = "/exports/"
GOOD_FOR = timedelta(minutes=10)
PURPOSE = "history.csv"
LONGEST_TOKEN = 2000
BYTE_ORDER_MARK = "\ufeff"
"""Excel takes a file for UTF-8 only when it begins so."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is a formula to a spreadsheet, of full width too (OWASP, CSV injection)."""

HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose history a link stands for, and for whom; ``integration_id`` is empty for all of it."""

    tenant: str
    person: str
    language: Language
    integration_id: str


class HistoryExport:
    """``public_url`` is where anybody reaches the bot; ``own_url`` where only this machine does. Empty: nowhere."""

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

    def link(self, wish: Wish, service_url: str) -> str:
        """Where the file can be had; empty when the reader, whose chat is at ``service_url``, cannot reach us."""
        is_here = urlsplit(service_url).hostname in ("localhost", "127.0.0.1", "::1")
        base = self._public_url or (self._own_url if is_here else "")
        if not base:
            return ""
        carried = {
            "for": PURPOSE,
            "until": (self._clock() + GOOD_FOR).isoformat(),
            "tenant": wish.tenant,
            "person": wish.person,
            "language": wish.language.value,
            "integration": wish.integration_id,
        }
        return base + PATH + self._encryption.encrypt(json.dumps(carried))

    def wish_of(self, token: str) -> Wish | None:
        """What a link's token stands for; None for one that is not ours, or is too old."""
        try:
            carried = json.loads(self._encryption.decrypt(token[:LONGEST_TOKEN]))
            if carried["for"] != PURPOSE or datetime.fromisoformat(carried["until"]) <= self._clock():
                return None
            language = Language(carried["language"])
            return Wish(carried["tenant"], carried["person"], language, carried["integration"])
        except (SecretUnreadable, ValueError, KeyError, TypeError):
            return None

    async def _may(self, wish: Wish) -> bool:
        """Whether who asked for the link still has a role that sees history."""
        async with self._database.session() as session:
            role = await self._access.role_of(session, wish.tenant, wish.person)
        return role.covers(Role.VIEWER)

    async def lines(self, wish: Wish) -> AsyncIterator[str]:
        """The file line by line, its head first."""
        texts = self._languages[wish.language]
        yield written(columns(texts))
        async with self._database.session() as session:
            async for act in history.iterate_all(session, wish.tenant, wish.integration_id):
                yield written(line(texts, act))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The handler for ``GET /exports/{token}``."""
        wish = self.wish_of(request.match_info["token"])
        if wish is None or not await self._may(wish):
            return web.Response(status=404, text="This link is not good any more. Ask the bot for a new one.\n")
        name = f"cloudlink-presence-{self._clock():%Y-%m-%d}.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if request.method == "GET":
            await response.write(BYTE_ORDER_MARK.encode())
            async for one in self.lines(wish):
                await response.write(one.encode())
        await response.write_eof()
        return response


def written(cells: list[str]) -> str:
    """A line of CSV (RFC 4180), safe to be opened by a spreadsheet."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([f"'{cell}" if cell.startswith(DANGEROUS) else cell for cell in cells])
    return buffer.getvalue()
