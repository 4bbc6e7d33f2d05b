"""Encryption at rest: secrets are written to the database only through ``Encryption`` (MultiFernet)."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import CloudLinkPresenceError


class SecretUnreadable(CloudLinkPresenceError):
    """No key decrypts a stored secret: the key is lost, and the secret must be entered again."""


class Encryption:
    """Encrypts with the first key and decrypts with any. Raises ``ValueError`` when a key is not a Fernet key."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._newest = Fernet(keys[0])

    def encrypt(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises ``SecretUnreadable``."""
        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable from None

    def re_encrypt(self, encrypted: str) -> str:
        """The same secret, encrypted with the first key. Raises ``SecretUnreadable``."""
        try:
            return self._fernet.rotate(encrypted.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable from None

    def can_decrypt(self, encrypted: str) -> bool:
        """Whether any key decrypts it."""
        return _is_readable(self._fernet, encrypted)

    def uses_newest_key(self, encrypted: str) -> bool:
        """Whether the first key decrypts it."""
        return _is_readable(self._newest, encrypted)


def _is_readable(fernet: Fernet | MultiFernet, encrypted: str) -> bool:
    try:
        return bool(fernet.extract_timestamp(encrypted.encode()))
    except InvalidToken:
        return False
