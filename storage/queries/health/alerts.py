"""Who is warned, and how: the preferences of administrators, and the channels that are warned too."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import advisory_lock, read_rows
from storage.tables.notices import AlertChannel, AlertPreference

ANY_INTEGRATION = ""
"""The integration id of the row with a person's quiet hours and time zone."""

CHANNEL_PREFIX = "channel:"
"""The prefix of a notice's audience when it is a channel; the channel's conversation id follows."""


async def preferences_by_integration(
    session: AsyncSession, owner_tenant: str, person: str
) -> dict[str, AlertPreference]:
    """A person's preferences by integration id, ``ANY_INTEGRATION`` among them when it is set."""
    query = select(AlertPreference).where(
        AlertPreference.owner_tenant == owner_tenant, AlertPreference.user_object_id == person
    )
    return {row.integration_id: row for row in (await session.exec(query)).all()}


_TIME_ZONE = select(AlertPreference.time_zone).where(
    AlertPreference.owner_tenant == bindparam("owner_tenant"),
    AlertPreference.user_object_id == bindparam("person"),
    AlertPreference.integration_id == ANY_INTEGRATION,
)


async def time_zone(session: AsyncSession, owner_tenant: str, person: str) -> str:
    """The one that a person chose, empty if they chose none."""
    found = await read_rows(session, _TIME_ZONE, owner_tenant=owner_tenant, person=person)
    return str(found[0].time_zone) if found else ""


async def list_muted(session: AsyncSession, owner_tenant: str, integration_id: str) -> set[str]:
    """The object ids of people who do not want warnings about this integration."""
    query = select(AlertPreference.user_object_id).where(
        AlertPreference.owner_tenant == owner_tenant,
        AlertPreference.integration_id == integration_id,
        col(AlertPreference.muted).is_(True),
    )
    return set((await session.exec(query)).all())


async def muted_by_integration(
    session: AsyncSession, owner_tenants: Collection[str], integration_ids: Collection[str]
) -> Mapping[tuple[str, str], set[str]]:
    """``list_muted`` for many integrations, by tenant and integration."""
    query = select(AlertPreference).where(
        col(AlertPreference.owner_tenant).in_(owner_tenants),
        col(AlertPreference.integration_id).in_(integration_ids),
        col(AlertPreference.muted).is_(True),
    )
    rows = grouped((await session.exec(query)).all(), lambda row: (row.owner_tenant, row.integration_id))
    return {name: {row.user_object_id for row in of_one} for name, of_one in rows.items()}


async def set_muted(
    session: AsyncSession, owner_tenant: str, person: str, integration_id: str, is_muted: bool
) -> None:
    row = await _get_or_add_preference(session, owner_tenant, person, integration_id)
    row.muted = is_muted


async def set_quiet_hours(
    session: AsyncSession, owner_tenant: str, person: str, begin: str, end: str, time_zone: str
) -> None:
    """From ``begin`` until ``end`` (``HH:MM``, both empty for none) in ``time_zone``."""
    row = await _get_or_add_preference(session, owner_tenant, person, ANY_INTEGRATION)
    row.quiet_from, row.quiet_until, row.time_zone = begin, end, time_zone


async def set_digest(session: AsyncSession, owner_tenant: str, person: str, digest: str, now: datetime) -> None:
    """How often the person gets the digest from ``now`` on; empty for never."""
    row = await _get_or_add_preference(session, owner_tenant, person, ANY_INTEGRATION)
    row.digest, row.digest_at = digest, now


async def digests(
    session: AsyncSession, owner_tenants: Collection[str]
) -> Mapping[tuple[str, str], AlertPreference]:
    """The preferences of those who get the digest, by tenant and person."""
    query = select(AlertPreference).where(
        col(AlertPreference.owner_tenant).in_(owner_tenants),
        AlertPreference.integration_id == ANY_INTEGRATION,
        AlertPreference.digest != "",
    )
    return {(row.owner_tenant, row.user_object_id): row for row in (await session.exec(query)).all()}


async def _get_or_add_preference(
    session: AsyncSession, owner_tenant: str, person: str, integration_id: str
) -> AlertPreference:
    await advisory_lock(session, "alerts", owner_tenant, person)
    row = await session.get(AlertPreference, (owner_tenant, person, integration_id))
    if row is None:
        row = AlertPreference(owner_tenant=owner_tenant, user_object_id=person, integration_id=integration_id)
        session.add(row)
    return row


async def list_channels(session: AsyncSession, owner_tenant: str) -> list[AlertChannel]:
    query = select(AlertChannel).where(AlertChannel.owner_tenant == owner_tenant)
    return list((await session.exec(query.order_by(col(AlertChannel.added_at)))).all())


async def channels_by_tenant(
    session: AsyncSession, owner_tenants: Collection[str]
) -> Mapping[str, list[AlertChannel]]:
    query = select(AlertChannel).where(col(AlertChannel.owner_tenant).in_(owner_tenants))
    rows = (await session.exec(query.order_by(col(AlertChannel.added_at)))).all()
    return grouped(rows, lambda row: row.owner_tenant)


MAX_CHANNELS = 20
"""Channels of a tenant that are warned: each gets every notice."""


async def add_channel(
    session: AsyncSession,
    *,
    owner_tenant: str,
    conversation_id: str,
    service_url: str,
    bot_id: str,
    channel_id: str,
    language: str,
    added_by: str,
    now: datetime,
) -> bool:
    """Warn this channel too; when it is known, its address and language are replaced and it counts as reachable.

    Another one takes the place of those that cannot be reached; False when ``MAX_CHANNELS`` can be.
    """
    await advisory_lock(session, "channel", owner_tenant)
    address: dict[str, Any] = {"service_url": service_url, "bot_id": bot_id, "channel_id": channel_id}
    row = await session.get(AlertChannel, (owner_tenant, conversation_id))
    if row is None:
        known = await list_channels(session, owner_tenant)
        if len(known) >= MAX_CHANNELS:
            unreachable = [each for each in known if each.unreachable]
            for each in unreachable:
                await session.delete(each)
            if not unreachable:
                return False
        row = AlertChannel(owner_tenant=owner_tenant, conversation_id=conversation_id, added_at=now, **address)
        session.add(row)
    row.sqlmodel_update({**address, "language": language, "added_by": added_by, "unreachable": False})
    return True


async def remove_channel(session: AsyncSession, owner_tenant: str, conversation_id: str) -> bool:
    """Remove a channel; returns whether it was warned until now."""
    query = delete(AlertChannel).where(
        col(AlertChannel.owner_tenant) == owner_tenant, col(AlertChannel.conversation_id) == conversation_id
    )
    return bool((await session.exec(query)).rowcount)


async def mark_channel_unreachable(session: AsyncSession, owner_tenant: str, conversation_id: str) -> None:
    await session.exec(
        update(AlertChannel)
        .where(col(AlertChannel.owner_tenant) == owner_tenant, col(AlertChannel.conversation_id) == conversation_id)
        .values(unreachable=True)
    )
