"""The operator's commands on the store, reported on the terminal: copy to PostgreSQL, change the encryption key."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from storage.database import Database
from storage.encryption import Encryption
from storage.key_rotation import RotationCounts, re_encrypt_all
from storage.keys import KEY_LOST
from storage.sqlite_to_postgres import copy_to_postgres

PROGRESS_EVERY = 5000
"""Rows."""


async def copy_and_report(source: Path, target: str) -> None:
    """Copy the SQLite file to the empty PostgreSQL database at ``target``. Raises as ``copy_to_postgres``."""
    counts = await asyncio.to_thread(copy_to_postgres, source, target, _print_copied)
    rows = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"Copied and compared, row by row: {rows}.")
    print(f"{source} is left as it was. The encryption keys are not in it: keep those the bot has.")


async def re_encrypt_and_report(database: Database, keys: Sequence[str]) -> bool:
    """Encrypt every secret with the first of ``keys``; False when some cannot be decrypted with any of them."""
    counts = await re_encrypt_all(database, Encryption(keys), _print_re_encrypted)
    print(f"{counts.re_encrypted} secrets encrypted again with the first key, {counts.unchanged} had it already.")
    if counts.unreadable:
        print(f"{counts.unreadable} cannot be decrypted with any of the keys. {KEY_LOST}")
    elif len(keys) == 1:
        print("There is only one key, so none was changed: SECRET_KEYS takes the new key, a comma, the old key.")
    return not counts.unreadable


def _print_copied(name: str, done: int, total: int) -> None:
    """A line for each table, and one every ``PROGRESS_EVERY`` rows of a long table."""
    if done == total or not done % PROGRESS_EVERY:
        print(f"{name}: {done} of {total}", flush=True)


def _print_re_encrypted(name: str, counts: RotationCounts) -> None:
    changes = f"{counts.re_encrypted} again, {counts.unchanged} already, {counts.unreadable} unreadable"
    print(f"{name}: {changes}", flush=True)
