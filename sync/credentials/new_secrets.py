"""A client secret is known by its shape, and one that was just made takes some seconds to work everywhere.

Entra ID's values have 37 to 40 letters, with a digit and ``Q~`` behind the first three (Microsoft Purview: "Azure
AD client secret entity definition"). Until a new one has reached all of Entra's servers it is refused as wrong.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from core.clock import Sleep
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.services import NewPassword, Registration

LIFETIMES = (180, 90, 60, 30)
"""Days that a secret which the bot adds lasts: the longest that the tenant's policy allows."""

PAUSES = (1.0, 2.0, 3.0, 4.0, 5.0, 5.0)
"""Seconds between the attempts: 20 in all."""

NOT_YET_KNOWN = frozenset({Fault.ENTRA_SECRET_WRONG, Fault.ENTRA_CLIENT_UNKNOWN})
"""How Entra refuses what it does not know, or does not know yet: a new secret, a new registration."""

SHORTEST = 37
"""Characters of a secret."""

_SHAPE = re.compile(r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}")
_RANDOM = re.compile(r"(?=[A-Za-z_.~+/=-]*\d)(?=[\d_.~+/=-]*[A-Za-z])[A-Za-z0-9_.~+/=-]{40,}")
"""The shape of CloudLink's secrets is not published: letters and digits without a break, longer than any id."""

_UNBROKEN = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]{0,99}\d)(?=\d{0,99}[A-Za-z])[A-Za-z0-9]{40,}")
"""As CloudLink's secrets are known to be; the name of a group with dashes or dots is none."""

log = structlog.get_logger()

Result = TypeVar("Result")
Waiting = Callable[[], Awaitable[None]]
"""Called before each pause."""


def holds_secret(text: str) -> bool:
    """Whether something in ``text`` looks like the value of a client secret, of Entra ID or of CloudLink."""
    return _is_of_entra(text) or _RANDOM.search(text) is not None


def secrets_in(text: str) -> list[str]:
    """What in ``text`` has the shape of a secret, and of nothing that people call groups, sites or each other."""
    return [*_SHAPE.findall(text), *_UNBROKEN.findall(text)] if len(text) >= SHORTEST else []


def _is_of_entra(text: str) -> bool:
    return _SHAPE.search(text) is not None


def public_name(name: str) -> str:
    """What a certificate or a secret in Azure is called after an integration: never a secret typed as its name."""
    return "CloudLink Presence" if holds_secret(name) else name[:60]


async def once_known(
    secret: str,
    check: Callable[[], Awaitable[Result]],
    waiting: Waiting | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Result:
    """What ``check`` returns, tried for 20 s while Entra does not know ``secret`` or its application.

    ``waiting`` is called before each pause. Raises what ``check`` raises last; for text that is no secret's value,
    immediately.
    """
    for pause in PAUSES if _is_of_entra(secret) else ():
        try:
            return await check()
        except CredentialsWrong as error:
            if error.fault not in NOT_YET_KNOWN:
                raise
        if waiting:
            await waiting()
        await sleep(pause)
    return await check()


async def add_password(registration: Registration, name: str, now: datetime) -> NewPassword:
    """Add the secret that lasts longest of those that the tenant's policy allows. Raises ``SyncError``."""
    for days in LIFETIMES:
        try:
            return await registration.add_password(name, now + timedelta(days=days))
        except CredentialsWrong as error:
            if error.fault is not Fault.GRAPH_SECRET_TOO_LONG:
                raise
    raise CredentialsWrong(Fault.GRAPH_SECRET_TOO_LONG)


async def remove_named(registration: Registration, mark: str, keep: str = "") -> None:
    """Remove the application's secrets whose name holds ``mark``, but not the one with the key id ``keep``."""
    for password in await registration.passwords():
        if mark in password.name and password.key_id != keep:
            log.info("orphan_secret_removed", mark=mark, key=password.key_id)
            await registration.remove_password(password.key_id)
