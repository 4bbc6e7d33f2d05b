"""Tries the way in: whether what is posted to the public webhook address arrives at this bot.

A nonce, sealed by the bot's own key, is posted to the address that CloudLink has, path and all. Whichever process
receives it opens it and answers with what was in it, which no other server can. A seal holds for a minute, and
for one webhook.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from storage.tables.integrations import Integration
from sync.cloudlink.own_webhook import HEADER
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import Service
from sync.phones.subscriptions import PATH, hashed

HOLDS = timedelta(minutes=1)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WayIn:
    """``public_url`` is empty when the server has none: nothing can be tried then."""

    def __init__(self, context: Context, credentials: CredentialStore, public_url: str) -> None:
        self._clients = context.clients
        self._clock = context.clock
        self._credentials = credentials
        self._public_url = public_url.rstrip("/")

    @property
    def exists(self) -> bool:
        return bool(self._public_url)

    async def attempt(self, integration: Integration) -> None:
        """Post a sealed nonce to the integration's webhook, and see it arrive. Raises ``SyncError``."""
        token = self._credentials.decrypt(integration, "webhook_token_sealed", Service.CLOUDLINK)
        nonce = secrets.token_urlsafe(16)
        sealed = self._credentials.seal(json.dumps([nonce, hashed(token), self._clock().timestamp()]))
        status, answer = await self._clients.post_to_own_webhook(self._public_url + PATH + token, sealed)
        if answer != nonce.encode():
            raise ServiceUnavailable(Fault.CLOUDLINK_WAY_IN_ANSWER, address=self._public_url, status=status)

    def answering(self, receive: Handler) -> Handler:
        """The handler of the webhooks: answers what was sealed here, and passes everything else to ``receive``."""

        async def handle(request: web.Request) -> web.StreamResponse:
            sealed = request.headers.get(HEADER, "")
            nonce = self._open(sealed, request.match_info["token"]) if sealed else ""
            return web.Response(text=nonce) if nonce else await receive(request)

        return handle

    def _open(self, sealed: str, token: str) -> str:
        """The nonce; empty if it was not sealed here, lately, and for this webhook."""
        try:
            nonce, sealed_for, at = json.loads(self._credentials.unseal(sealed))
        except ValueError:
            return ""
        age = abs(self._clock().timestamp() - at)
        return str(nonce) if sealed_for == hashed(token) and age <= HOLDS.total_seconds() else ""
