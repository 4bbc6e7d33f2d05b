"""Codes that make a tenant's first owner: stored hashed, valid once, with limited attempts against guessing."""

from datetime import datetime, timedelta

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock
from storage.tables.roles import ClaimAttempt, ClaimCode

ATTEMPT_WINDOW = timedelta(hours=1)
MAX_PER_PERSON, MAX_PER_TENANT, MAX_OVERALL = 5, 20, 100
"""How many codes may be entered within that time, right or wrong."""


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
    await advisory_lock(session, "claims")
    used = await session.exec(
        delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id, col(ClaimCode.id) == code.id)
    )
    if not used.rowcount:
        return False
    await session.exec(delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id))
    return True


async def record_attempt(session: AsyncSession, tenant_id: str, user_object_id: str, now: datetime) -> bool:
    """Count an attempt; False, and not counted, when there were too many within ``ATTEMPT_WINDOW``."""
    await advisory_lock(session, "claims")
    await session.exec(delete(ClaimAttempt).where(col(ClaimAttempt.at) <= now - ATTEMPT_WINDOW))
    recent = (await session.exec(select(ClaimAttempt.tenant_id, ClaimAttempt.user_object_id))).all()
    of_tenant = [person for tenant, person in recent if tenant == tenant_id]
    if (
        len(recent) >= MAX_OVERALL
        or len(of_tenant) >= MAX_PER_TENANT
        or of_tenant.count(user_object_id) >= MAX_PER_PERSON
    ):
        return False
    session.add(ClaimAttempt(tenant_id=tenant_id, user_object_id=user_object_id, at=now))
    return True
