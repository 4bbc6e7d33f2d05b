"""Integrations. Queries for administrators take the tenant; queries for the engine do not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, literal
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from storage.database import advisory_lock, for_update, read_rows
from storage.flow.rows import IntegrationRow
from storage.tables.columns import UtcDateTime
from storage.tables.integrations import Integration
from storage.tables.polls import PollChunk

# What runs most is built once: that takes longer than to run it.
_ALL = select(Integration).order_by(col(Integration.id))
_ONE = select(Integration).where(Integration.id == bindparam("integration_id"))
_ONE_LOCKED = for_update(_ONE)
_OWNED = (
    select(Integration)
    .where(Integration.owner_tenant == bindparam("owner_tenant"), col(Integration.removing_since).is_(None))
    .order_by(col(Integration.created_at), col(Integration.id))
)
_ONE_OWNED = _OWNED.where(Integration.id == bindparam("integration_id"))
_ONE_OWNED_LOCKED = for_update(_ONE_OWNED)
_ENABLED = select(func.count()).where(
    Integration.owner_tenant == bindparam("owner_tenant"), col(Integration.enabled)
)
_SHARING = select(Integration).where(
    Integration.tenant_id == bindparam("tenant_id"),
    Integration.client_id == bindparam("client_id"),
    Integration.id != bindparam("integration_id"),
)


async def list_owned(session: AsyncSession, owner_tenant: str) -> list[Integration]:
    """The tenant's integrations, oldest first, without those that are being removed."""
    return list((await session.exec(_OWNED, params={"owner_tenant": owner_tenant})).all())


async def get_owned(
    session: AsyncSession, owner_tenant: str, integration_id: str, *, lock: bool = False
) -> Integration | None:
    """None for an integration that is gone, being removed, or another tenant's.

    With ``lock`` the row is locked until the session ends.
    """
    named = {"integration_id": integration_id, "owner_tenant": owner_tenant}
    return (await session.exec(_ONE_OWNED_LOCKED if lock else _ONE_OWNED, params=named)).first()


async def list_locked(session: AsyncSession, owner_tenant: str) -> list[Integration]:
    """The tenant's integrations; until the session ends nobody else adds one that clashes, or renames or moves one.

    Lock the integration, if needed, before.
    """
    await advisory_lock(session, "names", owner_tenant)
    return await list_owned(session, owner_tenant)


async def is_name_taken(session: AsyncSession, owner_tenant: str, name: str, but: str = "") -> bool:
    """Whether another of the tenant's integrations (than ``but``) has this name; letter case does not count.

    The tenant's names stay locked, as by ``list_locked``.
    """
    taken = {one.name.casefold() for one in await list_locked(session, owner_tenant) if one.id != but}
    return name.casefold() in taken


async def update_if_unchanged(
    session: AsyncSession, integration: Integration, revision: int, values: Mapping[str, Any]
) -> Integration | None:
    """Store ``values`` as the next revision (optimistic locking); None when ``revision`` is not the newest."""
    edit = (
        update(Integration)
        .where(
            col(Integration.id) == integration.id,
            col(Integration.revision) == revision,
            col(Integration.removing_since).is_(None),
        )
        .values(revision=revision + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if not (await session.exec(edit)).rowcount:
        return None
    await session.refresh(integration)
    return integration


async def list_all(session: AsyncSession) -> list[Integration]:
    return list((await session.exec(_ALL)).all())


async def get(session: AsyncSession, integration_id: str) -> Integration | None:
    return (await session.exec(_ONE, params={"integration_id": integration_id})).first()


async def get_for_update(session: AsyncSession, integration_id: str) -> Integration | None:
    """The integration, locked until the session ends."""
    return (await session.exec(_ONE_LOCKED, params={"integration_id": integration_id})).first()


async def list_for_update(session: AsyncSession, integration_ids: Collection[str]) -> list[Integration]:
    """The existing ones, locked, in a fixed order."""
    wanted = col(Integration.id).in_(sorted(integration_ids))
    query = select(Integration).where(wanted).order_by(col(Integration.id))
    return list((await session.exec(for_update(query))).all())


async def lock_sharing_quota(session: AsyncSession, integration_id: str) -> dict[str, Integration]:
    """The integrations, this one included, whose requests Graph counts together: same tenant and application.

    Locked, so that two cannot spend the same quota, in a fixed order, so that two cannot deadlock. For that reason
    the session must not have locked an integration before.
    """
    rows = (await session.exec(_SHARING_QUOTA, params={"integration_id": integration_id})).all()
    return {row.id: row for row in rows}


async def list_sharing(session: AsyncSession, integration: Integration) -> list[Integration]:
    """The other integrations, not locked, that use the tenant and application which ``integration`` holds."""
    app = {"tenant_id": integration.tenant_id, "client_id": integration.client_id}
    return list((await session.exec(_SHARING, params={**app, "integration_id": integration.id})).all())


def _sharing_quota() -> SelectOfScalar[Integration]:
    this = aliased(Integration)
    query = (
        select(Integration)
        .join(this, (col(this.tenant_id) == Integration.tenant_id) & (col(this.client_id) == Integration.client_id))
        .where(this.id == bindparam("integration_id"))
        .order_by(col(Integration.id))
    )
    return for_update(query, of=Integration)


_SHARING_QUOTA = _sharing_quota()


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The integration of a webhook, and the account and subscription that its notifications must name."""

    token_hash: str
    integration_id: str
    owner_tenant: str
    account_id: str
    subscription_id: str

    def is_of(self, row: IntegrationRow) -> bool:
        """Whether the integration, as read now, is the same still."""
        return self == Subscribed(
            row.webhook_token_hash, row.id, row.owner_tenant, row.cloudlink_account_id, row.subscription_id
        )


_SUBSCRIBED = columns(
    col(Integration.webhook_token_hash),
    col(Integration.id),
    col(Integration.owner_tenant),
    col(Integration.cloudlink_account_id),
    col(Integration.subscription_id),
).where(col(Integration.webhook_token_hash).in_(bindparam("token_hashes", expanding=True)))


async def by_webhook(session: AsyncSession, token_hashes: Collection[str]) -> dict[str, Subscribed]:
    """The integrations of these webhooks, by the token's hash; unknown hashes are left out."""
    rows = await (await session.connection()).execute(_SUBSCRIBED, {"token_hashes": list(token_hashes)})
    return {row[0]: Subscribed(*row) for row in rows}


async def mark_gap(session: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> list[str]:
    """Events may have been lost, of these integrations: everybody is to be polled.

    The gap begins with the first event that may have been lost since everybody was polled last. A round that is
    under way read some before, so it ends. Returns the ids of the integrations concerned; all are enabled. They are
    locked in the order in which ``lock_sharing_quota`` locks several.
    """
    since = col(Integration.catch_up_since)
    begin = case((since <= now, since), else_=literal(now, UtcDateTime()))
    these = for_update(select(Integration.id).where(col(Integration.enabled), *which).order_by(col(Integration.id)))
    edit = update(Integration).where(col(Integration.id).in_(these)).values(catch_up_since=begin)
    await session.flush()
    marked = await (await session.connection()).execute(edit.returning(col(Integration.id)))
    ids = list(marked.scalars())
    await session.exec(delete(PollChunk).where(col(PollChunk.integration_id).in_(ids)))
    return ids


async def owners(session: AsyncSession, integration_ids: Collection[str]) -> dict[str, str]:
    """The tenants that own these integrations, by id; those that do not exist are left out."""
    query = select(Integration.id, Integration.owner_tenant).where(col(Integration.id).in_(integration_ids))
    return {integration_id: owner for integration_id, owner in await session.exec(query)}  # noqa: C416 rows


async def count_enabled(session: AsyncSession, owner_tenant: str) -> int:
    """How many enabled integrations the tenant has."""
    ((number,),) = await read_rows(session, _ENABLED, owner_tenant=owner_tenant)
    return int(number)


async def delete_one(session: AsyncSession, integration_id: str) -> None:
    """Delete the integration, its secrets and every row that refers to it."""
    await session.exec(delete(Integration).where(col(Integration.id) == integration_id))
