"""The keys the Bot Framework signs with: cached for a day, fetched again when a key id is unknown."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import InvalidKeyError
from jwt.algorithms import RSAAlgorithm

from bot.hosting.config import is_safe_url
from core.clock import Clock
from core.http.client import read_capped

log = structlog.get_logger()

LIFETIME = timedelta(hours=24)
REFETCH_PAUSE = timedelta(minutes=1)
RETRY_PAUSE = timedelta(seconds=10)
TIMEOUT = aiohttp.ClientTimeout(total=10)
MAX_DOCUMENT_BYTES = 1024 * 1024
MIN_KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the channels it may sign for."""

    public_key: RSAPublicKey
    endorsements: frozenset[str]


class SigningKeys:
    """The keys behind an OpenID metadata document.

    An unknown key id triggers a new fetch (keys roll over at any time), at most once a minute, so that forged key
    ids cannot make the bot flood the issuer. While the issuer is unreachable the cached keys stay valid, and the
    fetch is retried every ten seconds.
    Source: Bot Framework reference, "Authenticate requests from the Bot Connector service to your bot".
    """

    def __init__(self, metadata_url: str, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._metadata_url = metadata_url
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, SigningKey] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._is_failing = False

    async def find(self, key_id: str) -> SigningKey | None:
        """The key with this id; None when the issuer has no such key. Raises nothing."""
        if key_id not in self._keys or self._stale():
            async with self._lock:
                if self._may_fetch() and (key_id not in self._keys or self._stale()):
                    await self._refetch()
        return self._keys.get(key_id)

    def _stale(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= LIFETIME

    def _may_fetch(self) -> bool:
        pause = RETRY_PAUSE if self._is_failing else REFETCH_PAUSE
        return self._tried_at is None or self._clock() - self._tried_at >= pause

    async def _refetch(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = await self._fetch()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if not self._is_failing:
                log.error("signing_keys_unreachable", error=type(error).__name__)
            self._is_failing = True
            return
        if self._is_failing:
            log.info("signing_keys_reachable_again")
        self._is_failing = False
        self._fetched_at = self._tried_at

    async def _fetch(self) -> dict[str, SigningKey]:
        metadata = await self._get(self._metadata_url)
        jwks_uri = metadata.get("jwks_uri")
        if not isinstance(jwks_uri, str) or not is_safe_url(jwks_uri):
            raise ValueError("jwks_uri")
        document = await self._get(jwks_uri)
        listed = document.get("keys")
        keys = dict(pair for entry in listed if (pair := _read_key(entry))) if isinstance(listed, list) else {}
        if not keys:
            raise ValueError("no keys")
        return keys

    async def _get(self, url: str) -> dict[str, Any]:
        async with self._http.get(url, timeout=TIMEOUT, raise_for_status=True, allow_redirects=False) as answer:
            document = orjson.loads(await read_capped(answer.content.iter_any(), MAX_DOCUMENT_BYTES))
        if not isinstance(document, dict):
            raise ValueError("not an object")
        return document


def _read_key(entry: Any) -> tuple[str, SigningKey] | None:
    """A usable RSA key of a JWKS document with its id, or None."""
    if not isinstance(entry, Mapping) or entry.get("kty") != "RSA" or not isinstance(entry.get("kid"), str):
        return None
    try:
        key = RSAAlgorithm.from_jwk({name: entry[name] for name in ("kty", "n", "e")})
    except (InvalidKeyError, KeyError, ValueError, TypeError):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        return None
    endorsements = entry.get("endorsements")
    channels = endorsements if isinstance(endorsements, list) else []
    return entry["kid"], SigningKey(key, frozenset(name for name in channels if isinstance(name, str)))
