"""Codes by which the first owner of a tenant comes in: only hashed, good once, and not to be guessed."""

from datetime import datetime, timedelta

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import in_turn
from storage.tables.roles import ClaimAttempt, ClaimCode

COUNTED_FOR = timedelta(hours=1)
PER_PERSON, PER_TENANT, OVERALL = 5, 20, 100
"""So many codes may be entered within that time, right or wrong."""


async def keep(session: AsyncSession, code: ClaimCode, now: datetime) -> None:
    """Store a code; those that are not good any more go. Others stay good: each process prints its own."""
    await session.exec(delete(ClaimCode).where(col(ClaimCode.expires_at) <= now))
    await session.merge(code)


async def find(session: AsyncSession, tenant_id: str, code_id: str, now: datetime) -> ClaimCode | None:
    """The tenant's own code, while it is good."""
    query = select(ClaimCode).where(
        ClaimCode.tenant_id == tenant_id, ClaimCode.id == code_id, col(ClaimCode.expires_at) > now
    )
    return (await session.exec(query)).first()


async def use(session: AsyncSession, code: ClaimCode) -> bool:
    """Use it up: True for one alone, however many race. The tenant's other codes go with it."""
    await in_turn(session, "claims")
    used = await session.exec(
        delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id, col(ClaimCode.id) == code.id)
    )
    if not used.rowcount:
        return False
    await session.exec(delete(ClaimCode).where(col(ClaimCode.tenant_id) == code.tenant_id))
    return True


async def attempt(session: AsyncSession, tenant_id: str, user_object_id: str, now: datetime) -> bool:
    """Count an attempt; False, and not counted, when there were too many."""
    await in_turn(session, "claims")
    await session.exec(delete(ClaimAttempt).where(col(ClaimAttempt.at) <= now - COUNTED_FOR))
    recent = (await session.exec(select(ClaimAttempt.tenant_id, ClaimAttempt.user_object_id))).all()
    of_tenant = [person for tenant, person in recent if tenant == tenant_id]
    if len(recent) >= OVERALL or len(of_tenant) >= PER_TENANT or of_tenant.count(user_object_id) >= PER_PERSON:
        return False
    session.add(ClaimAttempt(tenant_id=tenant_id, user_object_id=user_object_id, at=now))
    return True
