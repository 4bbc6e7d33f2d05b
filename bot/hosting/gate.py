"""Which requests become turns."""

from aiohttp import web

from bot.hosting.arrivals import Arrival, read_arrival
from bot.hosting.config import HostingConfig
from bot.hosting.intake import read_json
from bot.hosting.refusals import Refused
from bot.hosting.verifier import Verifier


class Gate:
    """Method, caller, body, fields, service, tenant: in this order. Without a ``verifier`` anybody may call."""

    def __init__(self, config: HostingConfig, verifier: Verifier | None) -> None:
        self._config = config
        self._verifier = verifier

    async def admit(self, request: web.Request) -> Arrival:
        """The checked activity. Raises ``Refused``; a caller is known before its body is read."""
        if request.method != "POST":
            raise Refused(405, "method")
        caller = await self._verifier.verify(request.headers.get("Authorization")) if self._verifier else None
        arrival = read_arrival(await read_json(request, self._config.max_body_bytes))
        address = arrival.address
        if caller:
            caller.vouch(address.service_url, address.channel_id)
        if not self._config.allows_service(address.service_url):
            raise Refused(403, "service_url_not_allowed")
        if not self._config.allows_tenant(address.tenant_id):
            raise Refused(403, "tenant_not_allowed")
        return arrival
