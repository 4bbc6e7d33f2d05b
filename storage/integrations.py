"""Integrations: those an administrator may see carry the tenant, those the engine works on do not."""

from collections.abc import Sequence

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables import Integration


async def owned(session: AsyncSession, owner_tenant: str) -> list[Integration]:
    """The tenant's integrations, oldest first; one that is being removed is gone already."""
    query = (
        select(Integration)
        .where(Integration.owner_tenant == owner_tenant, col(Integration.removing_since).is_(None))
        .order_by(col(Integration.created_at), col(Integration.id))
    )
    return list((await session.exec(query)).all())


async def owned_one(session: AsyncSession, owner_tenant: str, integration_id: str) -> Integration | None:
    """None for an integration that is gone, being removed, or another tenant's."""
    query = select(Integration).where(
        Integration.id == integration_id,
        Integration.owner_tenant == owner_tenant,
        col(Integration.removing_since).is_(None),
    )
    return (await session.exec(query)).first()


async def all_of_them(session: AsyncSession) -> list[Integration]:
    return list((await session.exec(select(Integration))).all())


async def get(session: AsyncSession, integration_id: str) -> Integration | None:
    return await session.get(Integration, integration_id)


async def locked(session: AsyncSession, integration_id: str) -> Integration | None:
    """The integration, nobody else's to change until the session ends."""
    query = select(Integration).where(Integration.id == integration_id).with_for_update()
    return (await session.exec(query)).first()


async def sharing_quota(session: AsyncSession, integration: Integration) -> Sequence[Integration]:
    """All integrations, this one among them, whose requests Graph counts together: same tenant, same application.

    Locked, in a fixed order, so that two of them cannot spend the same quota.
    """
    query = (
        select(Integration)
        .where(Integration.tenant_id == integration.tenant_id, Integration.client_id == integration.client_id)
        .order_by(col(Integration.id))
        .with_for_update()
    )
    return (await session.exec(query)).all()


async def by_webhook(session: AsyncSession, token_hash: str) -> Integration | None:
    query = select(Integration).where(Integration.webhook_token_hash == token_hash)
    return (await session.exec(query)).first()


async def forget(session: AsyncSession, integration_id: str) -> None:
    """Drop the integration, its secrets and everything that hangs on it."""
    await session.exec(delete(Integration).where(col(Integration.id) == integration_id))
