"""The claims of a token that another service made, read for what they say; nothing is verified."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any


def unverified_claims(token: str) -> Mapping[str, Any] | None:
    """The payload of a JSON Web Token; None for a token that cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
