"""Verifies that a request comes from the Bot Framework."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from math import isfinite
from typing import Any

import jwt

from bot.hosting.auth.signing_keys import SigningKey, SigningKeys
from bot.hosting.refusals import Refused
from core.clock import Clock

LEEWAY = timedelta(minutes=5)
MAX_VERIFIED = 100
"""Tokens that are remembered: Teams sends each for an hour, and verifying it is a third of refusing a message."""
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


@dataclass(frozen=True, slots=True)
class Verified:
    """The claims of a token whose signature ``key`` verified."""

    key_id: str
    key: SigningKey
    claims: dict[str, Any]


class Verifier:
    """Checks the bearer token of a request: signature, issuer, audience, lifetime.

    Source: Bot Framework reference, "Authenticate requests from the Bot Connector service to your bot".
    """

    def __init__(self, app_id: str, issuer: str, keys: SigningKeys, clock: Clock) -> None:
        self._app_id = app_id
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._verified: dict[bytes, Verified] = {}

    async def verify(self, authorization: str | None) -> Caller:
        """Return the verified caller. Raises ``Refused`` (401); its reason never contains a part of the token."""
        token = _bearer(authorization)
        claims, key = await self._verify_signature(token)
        self._check_lifetime(claims)
        service_url = claims.get("serviceurl")
        if not isinstance(service_url, str):
            raise Refused(401, "token_service_url")
        return Caller(service_url, key.endorsements)

    async def _verify_signature(self, token: str) -> tuple[dict[str, Any], SigningKey]:
        """The claims and the key, which is looked up each time: it may have been withdrawn."""
        name = sha256(token.encode()).digest()
        known = self._verified.get(name)
        key_id = known.key_id if known else _key_id(token)
        key = await self._keys.find(key_id)
        if key is None:
            raise Refused(401, "token_key_unknown")
        if known is None or known.key is not key:
            self._verified[name] = known = Verified(key_id, key, self._claims(token, key))
            if len(self._verified) > MAX_VERIFIED:
                del self._verified[next(iter(self._verified))]
        return known.claims, key

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


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Refused(401, "token_garbage") from None
    if header.get("alg") != ALGORITHM:
        raise Refused(401, "token_algorithm")
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise Refused(401, "token_key_unknown")
    return key_id


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
