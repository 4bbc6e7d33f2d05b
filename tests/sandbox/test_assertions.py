"""What the sandbox's Entra ID accepts instead of a secret, and what it refuses."""

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.assertions import BadAssertion, check, read_certificate
from sandbox.entra.registration import FederatedCredential, Registration, SecretVerdict

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    """The same key for the same name, made when it is first used."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(days: int = 10) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key("own").public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(days=20))
    return (
        builder.not_valid_after(NOW + timedelta(days=days))
        .sign(rsa_key("own"), hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


def signed(registration: Registration, key: str = "own", thumbprint: str = "", **claims: Any) -> str:
    client, now = registration.client_id, NOW.timestamp()
    given = {"iss": client, "sub": client, "aud": "https://login", "nbf": now, "exp": now + 600, **claims}
    raw = base64.urlsafe_b64encode(bytes.fromhex(thumbprint)).decode().rstrip("=")
    return jwt.encode(given, rsa_key(key), "PS256", headers={"x5t#S256": raw})


@pytest.fixture
def registration() -> Registration:
    registration = Registration()
    registration.certificates.append(read_certificate(certificate()))
    return registration


def thumbprint(registration: Registration) -> str:
    return registration.certificates[0].thumbprint


def test_an_assertion_by_an_uploaded_certificate_is_taken(registration: Registration) -> None:
    check(registration, signed(registration, thumbprint=thumbprint(registration)), NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"thumbprint": "00" * 32}, 700027),
        ({"key": "other"}, 700027),
        ({"exp": NOW.timestamp() - 3600}, 700024),
        ({"nbf": NOW.timestamp() + 3600, "exp": NOW.timestamp() + 7200}, 700024),
        ({"sub": "somebody"}, 700023),
        ({"iss": "https://stranger.example"}, 700211),
    ],
)
def test_other_assertions_are_refused(registration: Registration, changes: dict[str, Any], code: int) -> None:
    assertion = signed(registration, **{"thumbprint": thumbprint(registration), **changes})
    with pytest.raises(BadAssertion) as caught:
        check(registration, assertion, NOW)
    assert caught.value.code == code


def test_an_expired_certificate_and_no_token_at_all(registration: Registration) -> None:
    registration.certificates = [read_certificate(certificate(days=-1))]
    for assertion, code in (
        (signed(registration, thumbprint=thumbprint(registration)), 1000502),
        ("nonsense", 50027),
    ):
        with pytest.raises(BadAssertion) as caught:
            check(registration, assertion, NOW)
        assert caught.value.code == code


def test_a_trusted_issuers_token_is_taken(registration: Registration) -> None:
    public = rsa_key("other").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    registration.federated.append(FederatedCredential("https://issuer", "pod", "api://x", public))
    claims = {"iss": "https://issuer", "sub": "pod", "aud": "api://x"}
    check(registration, signed(registration, "other", **claims), NOW)
    for wrong in ({**claims, "sub": "other"}, {**claims, "aud": "api://y"}):
        with pytest.raises(BadAssertion):
            check(registration, signed(registration, "other", **wrong), NOW)
    with pytest.raises(BadAssertion):
        check(registration, signed(registration, **claims), NOW)


def test_what_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="PEM"):
        read_certificate("nonsense")


def test_a_late_secret_is_wrong_until_it_has_spread() -> None:
    registration = Registration()
    secret = registration.add_secret("Late", 90, NOW, Random(1), accepted_after=30)
    assert registration.check_secret(secret.value, NOW) is SecretVerdict.WRONG
    assert registration.check_secret(secret.value, NOW + timedelta(seconds=30)) is SecretVerdict.GOOD
