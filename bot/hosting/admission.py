"""Which requests become turns."""

from aiohttp import web

from bot.hosting.activity_parser import ParsedActivity, parse_activity
from bot.hosting.config import HostingConfig
from bot.hosting.intake import read_json
from bot.hosting.refusals import Refused
from bot.hosting.verifier import Verifier
from core.http import is_loopback_host

TEAMS = "msteams"
"""The one channel in which people and tenants are who they are said to be: elsewhere a client can say it itself."""

PASSED_ON = frozenset({"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"})


class Admission:
    """Method, caller, body, fields, channel, service, tenant: in this order.

    Without a ``verifier`` anybody on this machine may call, and nobody else: not by a proxy or a tunnel either.
    """

    def __init__(self, config: HostingConfig, verifier: Verifier | None) -> None:
        self._config = config
        self._verifier = verifier

    async def admit(self, request: web.Request) -> ParsedActivity:
        """The checked activity. Raises ``Refused``; a caller is known before its body is read."""
        if request.method != "POST":
            raise Refused(405, "method")
        if self._verifier is None and not _is_from_this_machine(request):
            raise Refused(403, "passed_on_unauthenticated")
        caller = await self._verifier.verify(request.headers.get("Authorization")) if self._verifier else None
        arrival = parse_activity(await read_json(request, self._config.max_body_bytes))
        address = arrival.address
        if caller:
            caller.vouch(address.service_url, address.channel_id)
            if address.channel_id != TEAMS:
                raise Refused(403, "channel_not_allowed")
        if not self._config.allows_service(address.service_url):
            raise Refused(403, "service_url_not_allowed")
        if not self._config.allows_tenant(address.tenant_id):
            raise Refused(403, "tenant_not_allowed")
        return arrival


def _is_from_this_machine(request: web.Request) -> bool:
    """Spoken to by a name of this machine, and by nobody on behalf of another."""
    try:
        host = request.url.host or ""
    except ValueError:
        return False
    return is_loopback_host(host) and not any(name in request.headers for name in PASSED_ON)
