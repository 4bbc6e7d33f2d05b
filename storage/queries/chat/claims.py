"""Codes that make a tenant's first owner: stored hashed, valid once, with limited attempts against guessing.

Attempts are counted for the person and for the code that they name. What others guess never shuts out a person who
has not guessed yet: they have the right code.
"""

from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock
from storage.tables.roles import ClaimAttempt, ClaimCode

ATTEMPT_WINDOW = timedelta(hours=1)
MAX_PER_PERSON, MAX_PER_CODE = 5, 20
"""How many codes a person may enter within that time, right or wrong; and how often one code may be named before a
person may try only once."""


async def save(session: AsyncSession, code: ClaimCode, now: datetime) -> None:
    """Store a code and delete expired ones. Other codes stay valid: each process prints its own."""
    await session.exec(delete(ClaimCode).where(col(ClaimCode.expires_at) <= now))
    await session.merge(code)


async def find_valid(session: AsyncSession, tenant_id: str, code_id: str, now: datetime) -> ClaimCode | None:
    """The tenant's own code, while it is valid."""
    query = select(ClaimCode).where(
        ClaimCode.tenant_id == tenant_id, ClaimCode.id == code_id, col(ClaimCode.expires_at) > now
    )
    return (await session.exec(query)).first()


async def consume(session: AsyncSession, code: ClaimCode) -> bool:
    """Delete it, with the tenant's other codes: True for exactly one of the concurrent calls."""
    await advisory_lock(session, "claims", code.tenant_id)
    used = await session.exec(
        delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id, col(ClaimCode.id) == code.id)
    )
    if not used.rowcount:
        return False
    await session.exec(delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id))
    return True


async def record_attempt(
    session: AsyncSession, tenant_id: str, user_object_id: str, code_id: str, now: datetime
) -> bool:
    """Count an attempt at the code that ``code_id`` names, empty for none.

    False, and not counted, when the person made too many within ``ATTEMPT_WINDOW``.
    """
    await advisory_lock(session, "claims", tenant_id)
    of_tenant = col(ClaimAttempt.tenant_id) == tenant_id
    await session.exec(delete(ClaimAttempt).where(of_tenant, col(ClaimAttempt.at) <= now - ATTEMPT_WINDOW))
    named = select(func.count()).where(of_tenant, ClaimAttempt.code_id == code_id)
    own = select(func.count()).where(of_tenant, ClaimAttempt.user_object_id == user_object_id)
    is_guessed_at = bool(code_id) and (await session.exec(named)).one() >= MAX_PER_CODE
    if (await session.exec(own)).one() >= (1 if is_guessed_at else MAX_PER_PERSON):
        return False
    session.add(ClaimAttempt(tenant_id=tenant_id, user_object_id=user_object_id, code_id=code_id, at=now))
    return True
