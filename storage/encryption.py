"""Encryption at rest: secrets are written to the database only through ``Encryption``.

A value is ``v2.KEY.TEXT``: the id of its key, then the nonce and the ciphertext of AES-256-GCM in URL-safe base64.
Its place is the associated data, so a value that is moved to another row, column, table or tenant does not decrypt.

Each purpose has a key of its own, derived from the operator's by HKDF (RFC 5869). A nonce is 96 random bits: NIST
SP 800-38D allows 2^32 values for one key, more than this program writes in a thousand years.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from os import urandom
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Column
from sqlmodel import SQLModel

from core.errors import CloudLinkPresenceError
from storage.flow.rows import IntegrationRow

PREFIX = "v2."
STORED_SECRETS = "stored secrets"
NONCE_BYTES = 12

PLACES: Mapping[str, Sequence[str]] = {
    "draft": ("tenant_id", "user_object_id"),
    "integration": ("owner_tenant", "id"),
    "rotation": ("owner_tenant", "integration_id", "id"),
}
"""By table, the columns whose values are a row's place. They include the primary key, and never change."""


class SecretUnreadable(CloudLinkPresenceError):
    """No key decrypts a stored secret in its place: the key is lost, or the value is not the one written there."""


def place_of(row: SQLModel | IntegrationRow, column: str) -> bytes:
    """The place of a secret in ``column`` of ``row``: the associated data of its encryption."""
    table = str(row.__tablename__)
    return place_in(SQLModel.metadata.tables[table].columns[column], [getattr(row, name) for name in PLACES[table]])


def place_in(column: Column[Any], row: Sequence[str]) -> bytes:
    """The same, of a row with these values in the columns of ``PLACES``."""
    return json.dumps([column.table.name, column.name, *row]).encode()


class Encryption:
    """Encrypts with the first key and decrypts with any. Raises ``ValueError`` when a key is not a Fernet key.

    What is encrypted for one ``purpose`` does not decrypt for another.
    """

    def __init__(self, keys: Sequence[str], purpose: str = STORED_SECRETS) -> None:
        self._keys = keys
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._ciphers = {_derive(key, "key id", 8).hex(): AESGCM(_derive(key, purpose, 32)) for key in keys}
        self._newest = next(iter(self._ciphers))

    def for_purpose(self, purpose: str) -> "Encryption":
        """Encryption by keys derived from the same ones for ``purpose``."""
        return Encryption(self._keys, purpose)

    def encrypt(self, secret: str, place: bytes) -> str:
        nonce = urandom(NONCE_BYTES)
        encrypted = nonce + self._ciphers[self._newest].encrypt(nonce, secret.encode(), place)
        return f"{PREFIX}{self._newest}.{urlsafe_b64encode(encrypted).decode()}"

    def decrypt(self, encrypted: str, place: bytes) -> str:
        """Raises ``SecretUnreadable``."""
        key, _, text = encrypted.removeprefix(PREFIX).partition(".")
        try:
            content = urlsafe_b64decode(text)
            return self._ciphers[key].decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], place).decode()
        except (InvalidTag, KeyError, ValueError):
            raise SecretUnreadable from None

    def can_decrypt(self, encrypted: str, place: bytes) -> bool:
        """Whether any key decrypts it in this place."""
        try:
            self.decrypt(encrypted, place)
        except SecretUnreadable:
            return False
        return True

    def uses_newest_key(self, encrypted: str, place: bytes) -> bool:
        """Whether the first key decrypts it in this place."""
        return encrypted.startswith(f"{PREFIX}{self._newest}.") and self.can_decrypt(encrypted, place)

    def bind(self, unbound: str, place: bytes) -> str:
        """The secret in ``unbound``, a Fernet token of an earlier release, encrypted for its place.

        Raises ``SecretUnreadable``.
        """
        try:
            return self.encrypt(self._fernet.decrypt(unbound.encode()).decode(), place)
        except InvalidToken:
            raise SecretUnreadable from None


def _derive(key: str, purpose: str, length: int) -> bytes:
    info = f"CloudLink Presence: {purpose}".encode()
    return HKDF(SHA256(), length, salt=None, info=info).derive(urlsafe_b64decode(key))
