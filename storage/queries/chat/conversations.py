"""Personal chats the bot knows: where to send proactive messages, and in which language."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists
from sqlmodel import col, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import advisory_lock
from storage.tables.conversations import Conversation
from storage.tables.roles import NOTIFIED_ROLES, Member

_ONE = select(Conversation).where(
    Conversation.tenant_id == bindparam("tenant_id"), Conversation.user_object_id == bindparam("user_object_id")
)

CLIENTS = ""
"""The language of a conversation that follows the client's."""


async def upsert(
    session: AsyncSession,
    *,
    tenant_id: str,
    user_object_id: str,
    service_url: str,
    conversation_id: str,
    user_id: str,
    bot_id: str,
    channel_id: str,
    now: datetime,
    locale: str = "",
    name: str = "",
    time_zone: str = "",
) -> Conversation:
    """The conversation, stored with its newest address; it counts as reachable again.

    ``language`` and ``welcomed`` stay; an empty ``locale``, ``name`` or ``time_zone`` does not replace a known one.
    """
    await advisory_lock(session, "conversation", tenant_id, user_object_id)
    address: dict[str, Any] = {
        "service_url": service_url,
        "conversation_id": conversation_id,
        "user_id": user_id,
        "bot_id": bot_id,
        "channel_id": channel_id,
    }
    row = await find(session, tenant_id, user_object_id)
    if row is None:
        row = Conversation(tenant_id=tenant_id, user_object_id=user_object_id, seen_at=now, **address)
        session.add(row)
    row.sqlmodel_update({**address, "seen_at": now, "unreachable": False})
    row.locale = locale or row.locale
    row.name, row.time_zone = name or row.name, time_zone or row.time_zone
    return row


async def find(session: AsyncSession, tenant_id: str, user_object_id: str) -> Conversation | None:
    named = {"tenant_id": tenant_id, "user_object_id": user_object_id}
    return (await session.exec(_ONE, params=named)).first()


async def list_administrators(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """The conversations with the tenant's owners and administrators, reachable or not."""
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant_id, is_administrator())
        .order_by(col(Conversation.user_object_id))
    )
    return list((await session.exec(query)).all())


def is_administrator() -> ColumnElement[bool]:
    """The condition that a conversation is with an owner by the setting, or a member notified of problems."""
    by_role = exists().where(
        col(Member.owner_tenant) == col(Conversation.tenant_id),
        col(Member.user_object_id) == col(Conversation.user_object_id),
        col(Member.role).in_(NOTIFIED_ROLES),
    )
    return or_(col(Conversation.admin_as) != "", by_role)


async def list_without_role(session: AsyncSession, tenant_id: str, most: int) -> list[Conversation]:
    """Conversations with people who have no role, the most recent first; at most ``most``."""
    has_role = exists().where(
        col(Member.owner_tenant) == col(Conversation.tenant_id),
        col(Member.user_object_id) == col(Conversation.user_object_id),
    )
    query = select(Conversation).where(Conversation.tenant_id == tenant_id, Conversation.admin_as == "", ~has_role)
    return list((await session.exec(query.order_by(col(Conversation.seen_at).desc()).limit(most))).all())


async def list_owners_by_setting(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """Conversations with people admitted by an entry of ``ADMINS``; the caller checks that it still counts."""
    query = select(Conversation).where(Conversation.tenant_id == tenant_id, Conversation.admin_as != "")
    return list((await session.exec(query.order_by(col(Conversation.name)))).all())


async def administrators_by_tenant(
    session: AsyncSession, tenant_ids: Collection[str]
) -> Mapping[str, list[Conversation]]:
    """``list_administrators`` for many tenants."""
    query = (
        select(Conversation)
        .where(col(Conversation.tenant_id).in_(tenant_ids), is_administrator())
        .order_by(col(Conversation.user_object_id))
    )
    return grouped((await session.exec(query)).all(), lambda row: row.tenant_id)


async def set_admin(session: AsyncSession, tenant_id: str, user_object_id: str, admin_as: str) -> None:
    """``admin_as`` is the entry of ``ADMINS`` that admits this person, and from now on no other; empty for none."""
    if admin_as:
        others = col(Conversation.tenant_id) == tenant_id, col(Conversation.admin_as) == admin_as
        await session.exec(update(Conversation).where(*others).values(admin_as=""))
    await _change(session, tenant_id, user_object_id, admin_as=admin_as)


async def revoke_administrators(session: AsyncSession, is_named: Callable[[str, str], bool]) -> None:
    """Who was admitted by an entry that does not apply any more is no administrator; by entry and tenant."""
    query = select(Conversation).where(Conversation.admin_as != "")
    for row in (await session.exec(query)).all():
        if not is_named(row.admin_as, row.tenant_id):
            row.admin_as = ""


async def set_language(session: AsyncSession, tenant_id: str, user_object_id: str, language: str) -> None:
    """``CLIENTS`` selects the language of the person's client."""
    await _change(session, tenant_id, user_object_id, language=language)


async def mark_welcomed(session: AsyncSession, tenant_id: str, user_object_id: str) -> None:
    await _change(session, tenant_id, user_object_id, welcomed=True)


async def mark_unreachable(session: AsyncSession, tenant_id: str, user_object_id: str) -> None:
    """The bot was blocked or uninstalled: no message is sent until the person writes again."""
    await _change(session, tenant_id, user_object_id, unreachable=True)


async def _change(session: AsyncSession, tenant_id: str, user_object_id: str, **values: object) -> None:
    await session.exec(
        update(Conversation)
        .where(
            col(Conversation.tenant_id) == tenant_id,
            col(Conversation.user_object_id) == user_object_id,
        )
        .values(**values)
    )
