"""Assertions in place of a secret: signed with an uploaded certificate, or by a trusted issuer.

Microsoft identity platform: "Certificate credentials", "Workload identity federation".
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sandbox.entra.registration import Certificate, FederatedCredential, Registration

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_SIGNATURE_ONLY: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}


@dataclass(eq=False)
class BadAssertion(Exception):
    """A refused assertion, with Entra's error code and message."""

    code: int
    text: str


def read_certificate(pem: str) -> Certificate:
    """Parse a PEM certificate. Raises ``ValueError`` when it is not one."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    thumbprint = certificate.fingerprint(hashes.SHA256()).hex()
    return Certificate(thumbprint, pem, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def check(registration: Registration, assertion: str, now: datetime) -> None:
    """Raises ``BadAssertion`` unless the application or a trusted issuer signed it."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise BadAssertion(50027, "JWT token is invalid or malformed.") from None
    if not float(claims.get("nbf", 0)) - 300 <= now.timestamp() <= float(claims.get("exp", 0)) + 300:
        raise BadAssertion(700024, "Client assertion is not within its valid time range.")
    if claims.get("iss") == registration.client_id:
        _check_own(registration, assertion, str(header.get("x5t#S256", "")), now)
    else:
        _check_federated(registration, assertion, claims)


def _check_own(registration: Registration, assertion: str, thumbprint: str, now: datetime) -> None:
    wanted = base64.urlsafe_b64decode(thumbprint + "=" * (-len(thumbprint) % 4)).hex()
    found = next((each for each in registration.certificates if each.thumbprint == wanted), None)
    if found is None:
        text = (
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            f"[Reason - The key was not found., Thumbprint of key used by client: '{wanted.upper()}']"
        )
        raise BadAssertion(700027, text)
    if not found.start <= now < found.end:
        raise BadAssertion(1000502, "The provided certificate is not within its specified validity window.")
    key = x509.load_pem_x509_certificate(found.pem.encode()).public_key()
    _verify(assertion, key, registration.client_id)


def _check_federated(registration: Registration, assertion: str, claims: dict[str, Any]) -> None:
    found = next((each for each in registration.federated if _is_about(each, claims)), None)
    if found is None:
        text = (
            "No matching federated identity record found for presented assertion issuer "
            f"'{str(claims.get('iss'))[:80]}'."
        )
        raise BadAssertion(700211, text)
    _verify(assertion, found.public_key, found.subject)


def _is_about(credential: FederatedCredential, claims: dict[str, Any]) -> bool:
    presented = claims.get("iss"), claims.get("sub"), claims.get("aud")
    return presented == (credential.issuer, credential.subject, credential.audience)


def _verify(assertion: str, key: Any, subject: str) -> None:
    try:
        claims = jwt.decode(assertion, key, algorithms=["RS256", "PS256"], options=_SIGNATURE_ONLY)
    except jwt.InvalidTokenError:
        raise BadAssertion(700027, "Client assertion failed signature validation.") from None
    if claims.get("sub") != subject:
        raise BadAssertion(700023, "Client assertion subject claim does not match Client application.")
