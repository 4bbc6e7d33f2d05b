"""Certificates that authenticate an application instead of a secret: generated here, or read from PEM or PFX.

A certificate is passed on as one PEM text: the private key (PKCS #8, unencrypted), then the certificate. Entra
accepts self-signed ones ("Certificate credentials", Microsoft identity platform).
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from core.errors import CloudLinkPresenceError

KEY_SIZE = 2048
BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
LIFETIME = timedelta(days=365)


class NoCertificate(CloudLinkPresenceError, ValueError):
    """Not a certificate with its RSA key, or not with this password."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """``thumbprint`` is SHA-1 in upper-case hex, as the portal shows it; ``public`` is no secret."""

    private_key: str = field(repr=False)
    public: str
    thumbprint: str
    expires_on: date

    @property
    def pem(self) -> str:
        return self.private_key + self.public


def generate(name: str, now: datetime) -> Certificate:
    """A new key with a self-signed certificate for a year. Takes tenths of a second: call it in a thread."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_SIZE)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return _of(key, certificate)


def stored(pem: str) -> Certificate:
    """From a ``Certificate.pem``. Raises ``NoCertificate``.

    Its key is not read again: checking an RSA key takes a tenth of a second of the event loop.
    """
    private_key, begin, public = pem.partition(BEGIN_CERTIFICATE)
    try:
        return _with_key(private_key, x509.load_pem_x509_certificate((begin + public).encode()))
    except ValueError:
        raise NoCertificate from None


def read(content: bytes, password: str) -> Certificate:
    """From the bytes of a PEM or PFX file. Raises ``NoCertificate``, which reveals neither."""
    found: Certificate | None
    try:
        found = _of(*(_from_pem if b"-----BEGIN" in content else _from_pfx)(content, password.encode() or None))
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise NoCertificate
    return found


def _from_pem(content: bytes, password: bytes | None) -> tuple[object, x509.Certificate]:
    encrypted = b"ENCRYPTED" in content
    key = load_pem_private_key(content, password if encrypted else None)
    public_key = key.public_key()
    for certificate in x509.load_pem_x509_certificates(content):
        if certificate.public_key() == public_key:
            return key, certificate
    raise NoCertificate


def _from_pfx(content: bytes, password: bytes | None) -> tuple[object, x509.Certificate]:
    key, certificate, _ = pkcs12.load_key_and_certificates(content, password)
    if certificate is None:
        raise NoCertificate
    return key, certificate


def _of(key: object, certificate: x509.Certificate) -> Certificate:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NoCertificate
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _with_key(private_key, certificate)


def _with_key(private_key: str, certificate: x509.Certificate) -> Certificate:
    return Certificate(
        private_key,
        certificate.public_bytes(Encoding.PEM).decode(),
        certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
        certificate.not_valid_after_utc.date(),
    )
