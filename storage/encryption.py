"""Encryption at rest: secrets enter the database only through ``Seal`` (MultiFernet, first key encrypts)."""

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretUnreadable(Exception):
    """A sealed secret cannot be opened with the keys at hand: the key is lost, the secret must be entered anew."""


class Encryption:
    """Seals and opens secrets. Raises ``ValueError`` when built without a proper key."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._newest = Fernet(keys[0])

    def encrypt(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """Raises ``Unreadable``."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable from None

    def can_decrypt(self, sealed: str) -> bool:
        """Whether a key at hand opens it."""
        try:
            return bool(self._fernet.extract_timestamp(sealed.encode()))
        except InvalidToken:
            return False

    def uses_newest_key(self, sealed: str) -> bool:
        """Whether the first key opens it."""
        try:
            return bool(self._newest.extract_timestamp(sealed.encode()))
        except InvalidToken:
            return False

    def re_encrypt(self, sealed: str) -> str:
        """The same secret, sealed with the first key. Raises ``Unreadable``."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable from None


def check_keys(keys: Sequence[str]) -> None:
    """Raises ``ValueError``, which tells the number of the key at fault and does not repeat it."""
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(f"key {number} is not a Fernet key (32 bytes in URL-safe base64)") from None


def key_from_file(path: Path) -> str:
    """The key in ``path``, made at the first call, readable by its owner alone (mode 0600)."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = Fernet.generate_key().decode()
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
