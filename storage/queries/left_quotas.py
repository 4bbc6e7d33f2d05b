"""What removed integrations had spent of the quota of their applications."""

from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import for_update
from storage.tables.integrations import Integration, LeftQuota


async def of_application(session: AsyncSession, integration: Integration) -> LeftQuota | None:
    """What was left of the application that the integration uses, locked."""
    of_both = (LeftQuota.tenant_id == integration.tenant_id, LeftQuota.client_id == integration.client_id)
    return (await session.exec(for_update(select(LeftQuota).where(*of_both)))).first()


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    await session.exec(delete(LeftQuota).where(col(LeftQuota.left_at) < before))
