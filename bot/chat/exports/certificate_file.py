"""A certificate's public part as a file, to upload in Azure, for the person with a valid link."""

from aiohttp import web

from bot.chat.context import Services
from bot.chat.exports.links import CERTIFICATES
from sync.domain.model import UnknownIntegration
from sync.domain.roles import Role

HEADERS = {
    "Content-Type": "application/pkix-cert",
    "Content-Disposition": 'attachment; filename="presence.cer"',
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class CertificateFile:
    """Serves the certificate that waits to be used; its private key never leaves the bot."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def serve(self, http_request: web.Request) -> web.Response:
        """The handler for ``GET /exports/certificates/{token}``."""
        request = self._services.export_links.read(http_request.match_info["token"], CERTIFICATES)
        if request is None:
            return _gone()
        async with self._services.database.session() as session:
            role = await self._services.access.role_of(session, request.tenant, request.person)
        if not role.covers(Role.ADMINISTRATOR):
            return _gone()
        try:
            credentials = self._services.operations.credentials
            public = await credentials.pending_certificate(request.tenant, request.integration_id)
        except UnknownIntegration:
            return _gone()
        return web.Response(body=public.encode(), headers=HEADERS) if public else _gone()


def _gone() -> web.Response:
    return web.Response(status=404, text="This link is not valid any more. Ask the bot for a new one.\n")
