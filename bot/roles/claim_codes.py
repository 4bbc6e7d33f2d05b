"""One-time codes that make a tenant's first owner: created for the operator of the bot, verified in the chat.

A code is five groups of letters and digits. The first finds the stored hash; the other four, 80 random bits, are
the secret. A code is shown once, on the terminal where it was requested or in a file that its owner alone may read:
what a process prints without a terminal is collected in a log.
"""

import asyncio
import hmac
import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.queries.chat import claims, roles
from storage.tables.roles import ClaimCode

LIFETIME = timedelta(hours=24)
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without characters that look alike."""

GROUP, GROUPS = 4, 5

FILE = "claim-code.txt"
"""In ``DATA_DIR``: where the code is when there is no terminal."""


def new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(GROUP * GROUPS))


def grouped(code: str) -> str:
    """As it is shown: ``ABCD-EFGH-...``."""
    return "-".join(code[place : place + GROUP] for place in range(0, len(code), GROUP))


def read(typed: str) -> str:
    """A typed code without its dashes and in upper case; empty for anything that is no code."""
    code = "".join(letter for letter in typed.upper() if letter.isalnum())
    return code if len(code) == GROUP * GROUPS and set(code) <= set(LETTERS) else ""


async def make(database: Database, clock: Clock, tenant: str, code: str) -> str:
    """Store a new code for ``tenant``, hashed, and return it as it is shown."""
    salt = secrets.token_bytes(16)
    hashed = await asyncio.to_thread(_hash, code, salt)
    now = clock()
    row = ClaimCode(id=code[:GROUP], tenant_id=tenant, salt=salt, hashed=hashed, expires_at=now + LIFETIME)
    async with database.writing() as session:
        await claims.save(session, row, now)
    return grouped(code)


async def hand_over_new(database: Database, clock: Clock, tenant: str, folder: Path) -> None:
    """Make a code for ``tenant`` and hand it over with what to do with it."""
    hand_over(instructions(await make(database, clock, tenant, new_code()), tenant), folder)


async def hand_over_offer(database: Database, rules: AdminsSetting, clock: Clock, folder: Path) -> None:
    """At the start: hand over a code for the home tenant while no person can use the bot."""
    if not await is_ownerless(database, rules):
        (folder / FILE).unlink(missing_ok=True)
    elif rules.home:
        await hand_over_new(database, clock, rules.home, folder)
    else:
        print(f"Nobody may use this bot yet. {ANOTHER}", flush=True)


async def is_ownerless(database: Database, rules: AdminsSetting) -> bool:
    """Whether no person can use the bot."""
    async with database.session() as session:
        return not rules.entries() and not await roles.has_owner_anywhere(session)


def hand_over(message: str, folder: Path) -> None:
    """Print a message with a code on the terminal; without one, write it to a file and print where that is."""
    if sys.stdout.isatty():
        print(message, flush=True)
        return
    try:
        with NamedTemporaryFile("w", dir=folder, delete=False) as file:  # mode 0600, whatever the umask
            file.write(message + "\n")
        os.replace(file.name, folder / FILE)
    except OSError:
        print(f"{folder / FILE} cannot be written. On a terminal, {ANOTHER}", flush=True)
    else:
        print(f"The one-time code for the first owner is in {folder / FILE}. {ANOTHER}", flush=True)


ANOTHER = "python app.py claim-code --tenant ID makes a code for a first owner."


def instructions(code: str, tenant: str) -> str:
    """A code with its instructions, for a terminal and not for the log."""
    hours = LIFETIME // timedelta(hours=1)
    return (
        f"The first owner of tenant {tenant} comes in with this code, once, within {hours} hours.\n"
        f"In a personal chat with the bot, type:   claim {code}\n"
        f"Numa conversa pessoal com o bot, escreva:   reclamar {code}"
    )


async def verify(row: ClaimCode | None, code: str) -> bool:
    """Whether ``code`` is the stored one. Without a row it is not, after the same time."""
    salt, expected = (row.salt, row.hashed) if row else (bytes(16), bytes(32))
    return hmac.compare_digest(await asyncio.to_thread(_hash, code, salt), expected) and row is not None


def _hash(code: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**14, r=8, p=1).derive(code.encode())
