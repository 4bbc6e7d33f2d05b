"""What an integration spent of an application's quota still counts when it uses that application no longer.

Graph counts by tenant and application: who removes an integration and adds it again has not more quota by it.
"""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, left_quotas
from storage.queries.health import problems
from storage.tables.integrations import Integration, LeftQuota
from sync.problems import health
from sync.teams.quota import hand_over


async def leave_quota(session: AsyncSession, integration_id: str, now: datetime) -> None:
    """Hand over what it spent to another that shares it, or keep it for the next: before it is removed or moved.

    Not to an integration of another owner while its credentials are refused, for it does not share then. The
    session must not have locked an integration before.
    """
    sharing = await integrations.lock_sharing_quota(session, integration_id)
    leaving = sharing.pop(integration_id, None)
    if leaving is None or not (leaving.quota_spent or leaving.quota_blocked_until):
        return
    refused = health.blocking_problem(await problems.list_open(session, integration_id), health.TEAMS)
    own = [each for each in sharing.values() if each.owner_tenant == leaving.owner_tenant]
    others = own or ([] if refused else list(sharing.values()))
    hand_over(leaving, others[0] if others else await _kept(session, leaving, now))


async def _kept(session: AsyncSession, leaving: Integration, now: datetime) -> LeftQuota:
    kept = await left_quotas.of_application(session, leaving) or LeftQuota(
        tenant_id=leaving.tenant_id, client_id=leaving.client_id, left_at=now, quota_limit=leaving.quota_limit
    )
    kept.left_at = now
    session.add(kept)
    return kept


async def spenders_of(session: AsyncSession, former: Integration, now: datetime) -> list[Integration | LeftQuota]:
    """Who share the quota of the application that ``former`` holds, locked: its requests count with the first.

    The integration itself may use another application by now. The session must not have locked an integration
    before.
    """
    others = await integrations.list_sharing(session, former)
    rows = await integrations.list_for_update(session, [former.id, *(each.id for each in others)])
    application = former.tenant_id, former.client_id
    sharing = [row for row in rows if (row.tenant_id, row.client_id) == application]
    kept = await left_quotas.of_application(session, former)
    if kept is None and not any(row.owner_tenant == former.owner_tenant for row in sharing):
        kept = await _kept(session, former, now)
    own = sorted(sharing, key=lambda row: (row.owner_tenant != former.owner_tenant, row.id != former.id))
    return [kept, *own] if kept else [*own]


async def take_up_quota(session: AsyncSession, integration: Integration) -> None:
    """It begins to use its application, and continues with what was left of it."""
    if kept := await left_quotas.of_application(session, integration):
        hand_over(kept, integration)
        await session.delete(kept)
