"""Setups in progress: at most one for each administrator."""

from datetime import datetime

from sqlmodel import col, delete
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock
from storage.tables.conversations import Draft


async def load(session: AsyncSession, tenant_id: str, user_object_id: str) -> Draft | None:
    return await session.get(Draft, (tenant_id, user_object_id))


async def save(session: AsyncSession, draft: Draft) -> None:
    """Store ``draft``, new or changed; it replaces the administrator's former one."""
    await advisory_lock(session, "draft", draft.tenant_id, draft.user_object_id)
    await session.merge(draft)


async def delete_one(session: AsyncSession, tenant_id: str, user_object_id: str) -> None:
    """Delete the draft and the encrypted secret in it, if there is one."""
    await session.exec(
        delete(Draft).where(col(Draft.tenant_id) == tenant_id, col(Draft.user_object_id) == user_object_id)
    )


async def delete_older_than(session: AsyncSession, before: datetime) -> int:
    """Delete abandoned drafts, so that their encrypted secrets are not kept. Returns how many."""
    result = await session.exec(delete(Draft).where(col(Draft.updated_at) < before))
    return int(result.rowcount)
