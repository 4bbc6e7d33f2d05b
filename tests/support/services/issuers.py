"""A small token issuer as the Bot Framework is one: OpenID metadata, signing keys, real signatures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.services.servers import serving

ISSUER = "https://api.botframework.com"


@cache
def _private_key(_key_id: str, bits: int) -> rsa.RSAPrivateKey:
    """The same key for the same name: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Issuer:
    """Signs tokens with the newest key. ``fetches`` counts the requests for its keys.

    ``elsewhere``, when set, is the metadata address it names.
    """

    def __init__(self) -> None:
        self.url = ""
        self.fetches = 0
        self.down = False
        self.elsewhere = ""
        self.keys: dict[str, tuple[rsa.RSAPrivateKey, list[str]]] = {}
        self.add_key("key-1")

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/v1/.well-known/openidconfiguration"

    def add_key(self, key_id: str, endorsements: list[str] | None = None, bits: int = 2048) -> None:
        self.keys[key_id] = (
            _private_key(key_id, bits),
            ["msteams", "webchat"] if endorsements is None else endorsements,
        )

    def roll_over(self, key_id: str) -> None:
        self.keys.clear()
        self.add_key(key_id)

    def token(
        self,
        app_id: str,
        service_url: str,
        now: datetime,
        *,
        key_id: str = "",
        drop: tuple[str, ...] = (),
        **changed: Any,
    ) -> str:
        """A token as the channel sends it, less the claims in ``drop``, with those in ``changed``."""
        signed_by = key_id or list(self.keys)[-1]
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": app_id,
            "serviceurl": service_url,
            "nbf": int((now - timedelta(minutes=1)).timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
        }
        claims |= changed
        kept = {name: value for name, value in claims.items() if name not in drop}
        return jwt.encode(kept, self.keys[signed_by][0], algorithm="RS256", headers={"kid": signed_by})

    async def _metadata(self, _request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        if self.elsewhere:
            return web.Response(status=302, headers={"Location": self.elsewhere})
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{self.url}/v1/.well-known/keys"})

    async def _jwks(self, _request: web.Request) -> web.Response:
        self.fetches += 1
        return web.json_response({"keys": [self._jwk(key_id) for key_id in self.keys]})

    def _jwk(self, key_id: str) -> dict[str, Any]:
        private, endorsements = self.keys[key_id]
        public: dict[str, Any] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        return public | {"kid": key_id, "use": "sig", "endorsements": endorsements}


@asynccontextmanager
async def open_issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/v1/.well-known/openidconfiguration", issuer._metadata)
    app.router.add_get("/v1/.well-known/keys", issuer._jwks)
    async with serving(app) as issuer.url:
        yield issuer
