"""Verifies that a request comes from the Bot Framework."""

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Any

import jwt

from bot.hosting.auth.signing_keys import SigningKey, SigningKeys
from bot.hosting.refusals import Refused
from core.clock import Clock

LEEWAY = timedelta(minutes=5)
ALGORITHM = "RS256"
_OPTIONS: Any = {
    "require": ["iss", "aud", "exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "strict_aud": True,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified token, still to be compared with the activity."""

    service_url: str
    endorsements: frozenset[str]

    def check_activity(self, service_url: str, channel_id: str) -> None:
        """Raises ``Refused`` (401) unless the token was issued for this service and this channel."""
        if self.service_url.rstrip("/") != service_url.rstrip("/"):
            raise Refused(401, "token_service_url")
        if channel_id not in self.endorsements:
            raise Refused(401, "token_endorsement")


class Verifier:
    """Checks the bearer token of a request: signature, issuer, audience, lifetime.

    Source: Bot Framework reference, "Authenticate requests from the Bot Connector service to your bot".
    """

    def __init__(self, app_id: str, issuer: str, keys: SigningKeys, clock: Clock) -> None:
        self._app_id = app_id
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    async def verify(self, authorization: str | None) -> Caller:
        """Return the verified caller. Raises ``Refused`` (401); its reason never contains a part of the token."""
        token = _bearer(authorization)
        key = await self._key_of(token)
        claims = self._claims(token, key)
        self._check_lifetime(claims)
        service_url = claims.get("serviceurl")
        if not isinstance(service_url, str):
            raise Refused(401, "token_service_url")
        return Caller(service_url, key.endorsements)

    async def _key_of(self, token: str) -> SigningKey:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Refused(401, "token_garbage") from None
        if header.get("alg") != ALGORITHM:
            raise Refused(401, "token_algorithm")
        key_id = header.get("kid")
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise Refused(401, "token_key_unknown")
        return key

    def _claims(self, token: str, key: SigningKey) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key.public_key,
                algorithms=[ALGORITHM],
                audience=self._app_id,
                issuer=self._issuer,
                options=_OPTIONS,
            )
        except jwt.PyJWTError as error:
            raise Refused(401, f"token_{type(error).__name__}") from None

    def _check_lifetime(self, claims: dict[str, Any]) -> None:
        now = self._clock().timestamp()
        leeway = LEEWAY.total_seconds()
        if now >= _seconds(claims, "exp") + leeway:
            raise Refused(401, "token_expired")
        if "nbf" in claims and now < _seconds(claims, "nbf") - leeway:
            raise Refused(401, "token_not_yet_valid")


def _bearer(authorization: str | None) -> str:
    if authorization is None:
        raise Refused(401, "token_missing")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "token_garbage")
    return token.strip()


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Refused(401, f"token_{name}")
    return float(value)
