"""One-time codes that make a tenant's first owner: created for the operator of the bot, verified in the chat.

A code is five groups of letters and digits. The first finds the stored hash; the other four, 80 random bits, are
the secret. A code is shown once, where it was requested, and never logged.
"""

import asyncio
import hmac
import secrets
from datetime import timedelta

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.queries import claims, roles
from storage.tables.roles import ClaimCode

LIFETIME = timedelta(hours=24)
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without characters that look alike."""

GROUP, GROUPS = 4, 5


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


async def print_new(database: Database, clock: Clock, tenant: str) -> None:
    """Make a code for ``tenant`` and print it with what to do with it."""
    print(instructions(await make(database, clock, tenant, new_code()), tenant))


async def print_offer(database: Database, rules: AdminsSetting, clock: Clock) -> None:
    """At the start: print how to become the first owner, while no person can use the bot."""
    offered = await offer(database, rules, clock, new_code())
    if offered:
        print(offered, flush=True)


async def offer(database: Database, rules: AdminsSetting, clock: Clock, code: str) -> str:
    """At the start: the message for the operator while no person can use the bot; empty when one can."""
    async with database.session() as session:
        if rules.entries() or await roles.has_owner_anywhere(session):
            return ""
    if not rules.home:
        return "Nobody may use this bot yet. python app.py claim-code --tenant ID makes a code for a first owner."
    return instructions(await make(database, clock, rules.home, code), rules.home)


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
