"""Bearer tokens and list positions: JWTs signed with the world's key, by the world's clock."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt

from sandbox.state import World


def issue(world: World, lifetime: int, **claims: Any) -> str:
    """A token with ``claims``, valid for ``lifetime`` seconds."""
    now = int(world.now().timestamp())
    return jwt.encode({"iat": now, "nbf": now, "exp": now + lifetime, **claims}, world.saved.signing_key, "HS256")


def read(world: World, authorization: str | None) -> dict[str, Any] | None:
    """The claims of an ``Authorization: Bearer`` header; None unless it is ours and not expired."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    claims = _signed_claims(token.strip(), world.saved.signing_key)
    return {**claims} if claims.get("exp", 0) > world.now().timestamp() else None


@lru_cache(1_000)
def _signed_claims(token: str, key: str) -> Mapping[str, Any]:
    """Empty unless it is signed with the key; kept, as a token comes with every request of an hour."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            ["HS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return {}
    return claims


def sign_position(world: World, kind: str, content: dict[str, Any]) -> str:
    """An opaque token for the position where a list continues; it cannot be forged."""
    return jwt.encode({**content, "kind": kind}, world.saved.signing_key, "HS256")


def read_position(world: World, kind: str, text: str) -> dict[str, Any] | None:
    """The content of a position token of this ``kind``; None for anything else."""
    try:
        content: dict[str, Any] = jwt.decode(text, world.saved.signing_key, ["HS256"])
    except jwt.InvalidTokenError:
        return None
    return content if content.get("kind") == kind else None
