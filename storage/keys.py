"""The encryption keys: read from a setting, from Azure Key Vault or from a file, and checked."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography.fernet import Fernet

from core.errors import CloudLinkPresenceError
from storage.database import Database, make_private_folder
from storage.encryption import Encryption
from storage.key_rotation import bind_all, has_unreadable_secrets
from storage.key_vault import KeyVaultUnavailable, keys_from_vault

KEY_LOST = (
    "Find the key they were encrypted with and put it last in SECRET_KEYS, or enter the secrets again "
    "(edit integration, rotate secret)."
)

TORN_KEY_FILE = (
    "the file does not hold a whole key. Put it back from a backup; if the bot has stored nothing yet, delete it."
)
KEY_LENGTH = 44
MAX_KEY_FILE = 1000

log = structlog.get_logger()


class KeysUnavailable(CloudLinkPresenceError):
    """There are no usable keys; the message names the setting or the file, and shows no key."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys are: ``given``, else in the vault's secret, else in the file, made when it is missing.

    ``vault_identity`` is the client ID of a user-assigned managed identity, or empty.
    """

    given: Sequence[str] = field(repr=False)
    vault_secret: str
    vault_identity: str
    file: Path

    @property
    def name(self) -> str:
        """What an administrator has to look at when the keys are wrong."""
        if self.given:
            return "SECRET_KEYS"
        return "KEY_VAULT_SECRET" if self.vault_secret else f"{self.file} (DATA_DIR)"


async def load_keys(source: KeySource) -> list[str]:
    """The keys; the first encrypts. Raises ``KeysUnavailable``."""
    try:
        keys = await _read(source)
        check_keys(keys)
    except OSError as error:
        raise KeysUnavailable(f"{source.name}: {error.strerror}") from None
    except (KeyVaultUnavailable, ValueError) as error:
        raise KeysUnavailable(f"{source.name}: {error}") from None
    return keys


async def _read(source: KeySource) -> list[str]:
    if source.given:
        return list(source.given)
    if source.vault_secret:
        return await keys_from_vault(source.vault_secret, source.vault_identity)
    return [key_from_file(source.file)]


def check_keys(keys: Sequence[str]) -> None:
    """Raises ``ValueError``, which gives the number of the wrong key and does not show it."""
    for number, key in enumerate(keys, 1):
        if not _is_fernet_key(key):
            raise ValueError(f"key {number} is not a Fernet key (44 characters; a comma between keys)")


def _is_fernet_key(key: str) -> bool:
    """Whether it is one key and no more: ``Fernet`` ignores what follows the padding, such as a second line."""
    try:
        return len(key) == KEY_LENGTH and bool(Fernet(key))
    except ValueError:
        return False


def key_from_file(path: Path) -> str:
    """The key in ``path``, created at the first call with its folder, readable by its owner alone (mode 0600).

    Of several processes that start together, all get the key of the first. Raises ``OSError``, and ``ValueError``
    when others can read the file or it does not hold a whole key.
    """
    if not path.exists():
        make_private_folder(path.parent)
        _write_once(path, Fernet.generate_key().decode() + "\n")
    with path.open(errors="replace") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ValueError(f"other users of this machine can read the key. Run: chmod 600 {path}")
        key = file.read(MAX_KEY_FILE).strip()
    if not _is_fernet_key(key):
        raise ValueError(TORN_KEY_FILE)
    return key


def _write_once(path: Path, content: str) -> None:
    """Create the file whole, on disk and with mode 0600, or leave the one that another process made first."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def open_encryption(database: Database, keys: Sequence[str]) -> Encryption:
    """Encryption with ``keys``; what an earlier release stored is bound to its place first.

    Logs ``secrets_unreadable`` when the keys do not decrypt what is stored.
    """
    encryption = Encryption(keys)
    await bind_all(database, encryption)
    if await has_unreadable_secrets(database, encryption):
        log.error("secrets_unreadable", remedy=KEY_LOST)
    return encryption
