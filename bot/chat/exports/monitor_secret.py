"""The page that makes a client secret for presence monitors and shows it once, to who holds a valid link.

Programs that check links open the page too; only its button makes the secret. The secret is stored nowhere.
"""

from hashlib import sha256
from html import escape

import structlog
from aiohttp import web

from bot.cards.field_errors import form_error
from bot.chat.context import Services
from bot.chat.exports.links import MONITOR_SECRETS, ExportRequest
from bot.languages import Texts
from storage.queries.chat import presses
from storage.tables.conversations import Press
from sync.domain.errors import SyncError
from sync.domain.model import Actor, UnknownIntegration
from sync.domain.roles import Role
from sync.domain.rotation import MonitorSecret

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
VERB = "monitors.secret"

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}"
    "code{display:block;padding:.75rem;background:#f0f0f0;color:#111;overflow-wrap:anywhere;user-select:all}"
    "button{font:inherit;padding:.5rem 1rem}dt{font-weight:600;margin-top:1rem}dd{margin:0}"
)

log = structlog.get_logger()


class MonitorSecretPage:
    """Who opens it is known by the link alone; the link's person must still be an administrator."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def ask(self, http_request: web.Request) -> web.Response:
        """The handler for ``GET /exports/monitors/{token}``: what the button will do."""
        request = await self._allowed(http_request)
        if request is None:
            return _gone()
        texts = self._services.languages[request.language]
        how, label = escape(texts("monitor_secret.once")), escape(texts("monitor_secret.show"))
        return _page(texts, f'<p>{how}</p><form method="post"><button>{label}</button></form>')

    async def hand_over(self, http_request: web.Request) -> web.Response:
        """The handler for ``POST``: make the secret and show it. A link does so once."""
        request = await self._allowed(http_request)
        if request is None:
            return _gone()
        texts = self._services.languages[request.language]
        mark = sha256(http_request.match_info["token"].encode()).hexdigest()[:32]
        press = Press(
            owner_tenant=request.tenant,
            stamp=mark,
            verb=VERB,
            pressed_by=request.person_name or request.person,
            at=self._services.clock(),
        )
        async with self._services.database.writing() as session:
            first = await presses.claim(session, press)
        if first is not None:
            return _page(texts, f"<p>{escape(texts('monitor_secret.used', who=first.pressed_by))}</p>", status=410)
        return await self._made(request, press, texts)

    async def _made(self, request: ExportRequest, press: Press, texts: Texts) -> web.Response:
        """The secret; after a failure the link may be used again."""
        by = Actor(request.person, request.person_name)
        try:
            operation = self._services.operations.monitor_secrets
            made = await operation.make(request.tenant, request.integration_id, press.stamp, by)
        except UnknownIntegration:
            return _gone()
        except SyncError as error:
            async with self._services.database.writing() as session:
                await presses.release(session, press)
            said = form_error(error, texts, self._services.links)
            return _page(texts, f"<p>{escape(said.sentence)}</p><p>{escape(said.remedy)}</p>", status=503)
        log.info("monitor_secret_handed_over", integration=request.integration_id)
        return _page(texts, _shown(texts, made))

    async def _allowed(self, http_request: web.Request) -> ExportRequest | None:
        """The link's request, while it is valid and its person an administrator."""
        request = self._services.export_links.read(http_request.match_info["token"], MONITOR_SECRETS)
        if request is None:
            return None
        async with self._services.database.session() as session:
            role = await self._services.access.role_of(session, request.tenant, request.person)
        return request if role.covers(Role.ADMINISTRATOR) else None


def _shown(texts: Texts, made: MonitorSecret) -> str:
    """The secret, with what tells it from others in Azure."""
    rows = {
        "monitor_secret.value": f"<code>{escape(made.value)}</code>",
        "monitor_secret.name": escape(made.name),
        "field.expires_on": escape(texts.date(made.expires_on)),
    }
    listed = "".join(f"<dt>{escape(texts(key))}</dt><dd>{value}</dd>" for key, value in rows.items())
    return f"<p>{escape(texts('monitor_secret.paste'))}</p><dl>{listed}</dl>"


def _page(texts: Texts, content: str, status: int = 200) -> web.Response:
    title = escape(texts("monitor_secret.title"))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = f"<!doctype html>{head}<style>{STYLE}</style><h1>{title}</h1>{content}\n"
    return web.Response(text=page, content_type="text/html", headers=HEADERS, status=status)


def _gone() -> web.Response:
    return web.Response(status=404, text="This link has expired. Ask the bot for a new one.\n", headers=HEADERS)
