"""What happens in a rotation, recorded in the history of its integration."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import history
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation


async def record_step(
    session: AsyncSession,
    integration: Integration,
    rotation: Rotation,
    act: str,
    now: datetime,
    result: str = history.DONE,
) -> None:
    """Record a step in the history, under whoever began the rotation."""
    facts = {"kind": rotation.kind, "credential": integration.credential}
    if rotation.expires_on:
        facts["expires_on"] = rotation.expires_on.isoformat()
    await history.record(
        session,
        owner_tenant=integration.owner_tenant,
        integration_id=integration.id,
        integration_name=integration.name,
        actor_id=rotation.started_by,
        actor_name=rotation.started_by_name,
        act=act,
        result=result,
        facts=facts,
        now=now,
    )
