"""Personal chats the bot has seen: where to speak first, and in which language."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, exists
from sqlmodel import col, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.database import in_turn
from storage.queries.roles import TOLD
from storage.tables.conversations import Conversation
from storage.tables.roles import Member


async def remember(
    session: AsyncSession,
    *,
    tenant_id: str,
    user_object_id: str,
    service_url: str,
    conversation_id: str,
    user_id: str,
    bot_id: str,
    channel_id: str,
    locale: str,
    now: datetime,
    name: str = "",
    time_zone: str = "",
) -> Conversation:
    """The conversation, stored with its newest address; who speaks can be spoken to again.

    Language and welcome survive; an empty ``locale``, ``name`` or ``time_zone`` does not replace a known one.
    """
    await in_turn(session, "conversation", tenant_id, user_object_id)
    row = await find(session, tenant_id, user_object_id) or Conversation(
        tenant_id=tenant_id,
        user_object_id=user_object_id,
        service_url=service_url,
        conversation_id=conversation_id,
        user_id=user_id,
        bot_id=bot_id,
        channel_id=channel_id,
        seen_at=now,
    )
    row.service_url, row.conversation_id, row.channel_id = service_url, conversation_id, channel_id
    row.user_id, row.bot_id, row.seen_at = user_id, bot_id, now
    row.locale = locale or row.locale
    row.name, row.time_zone = name or row.name, time_zone or row.time_zone
    row.unreachable = False
    session.add(row)
    return row


async def find(session: AsyncSession, tenant_id: str, user_object_id: str) -> Conversation | None:
    return await session.get(Conversation, (tenant_id, user_object_id))


async def administrators(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """The tenant's owners and administrators who have spoken with the bot, reachable or not."""
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant_id, is_administrator())
        .order_by(col(Conversation.user_object_id))
    )
    return list((await session.exec(query)).all())


def is_administrator() -> ColumnElement[bool]:
    """Of a conversation: with an owner by the setting, or with somebody whose role is told of problems."""
    by_role = exists().where(
        col(Member.owner_tenant) == col(Conversation.tenant_id),
        col(Member.user_object_id) == col(Conversation.user_object_id),
        col(Member.role).in_(TOLD),
    )
    return or_(col(Conversation.admin_as) != "", by_role)


async def strangers(session: AsyncSession, tenant_id: str, most: int) -> list[Conversation]:
    """Who has spoken with the bot and has no role, lately seen first."""
    has_role = exists().where(
        col(Member.owner_tenant) == col(Conversation.tenant_id),
        col(Member.user_object_id) == col(Conversation.user_object_id),
    )
    query = select(Conversation).where(Conversation.tenant_id == tenant_id, Conversation.admin_as == "", ~has_role)
    return list((await session.exec(query.order_by(col(Conversation.seen_at).desc()).limit(most))).all())


async def owners_by_setting(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """Who was admitted by an entry of ``ADMINS``; whether the entry still counts is for the reader to see."""
    query = select(Conversation).where(Conversation.tenant_id == tenant_id, Conversation.admin_as != "")
    return list((await session.exec(query.order_by(col(Conversation.name)))).all())


async def administrators_by_tenant(
    session: AsyncSession, tenant_ids: Collection[str]
) -> Mapping[str, list[Conversation]]:
    """``administrators`` of many tenants."""
    query = (
        select(Conversation)
        .where(col(Conversation.tenant_id).in_(tenant_ids), is_administrator())
        .order_by(col(Conversation.user_object_id))
    )
    return grouped((await session.exec(query)).all(), lambda row: row.tenant_id)


async def set_admin(session: AsyncSession, tenant_id: str, user_object_id: str, admin_as: str) -> None:
    """``admin_as`` is the entry of ``ADMINS`` that admits them, and from now on them alone; empty for none."""
    if admin_as:
        others = col(Conversation.tenant_id) == tenant_id, col(Conversation.admin_as) == admin_as
        await session.exec(update(Conversation).where(*others).values(admin_as=""))
    await _change(session, tenant_id, user_object_id, admin_as=admin_as)


async def forget_administrators(session: AsyncSession, admins: Collection[str]) -> None:
    """Whoever was admitted by an entry that is not among ``admins`` any more is no administrator now."""
    await session.exec(
        update(Conversation)
        .where(col(Conversation.admin_as) != "", col(Conversation.admin_as).not_in(sorted(admins)))
        .values(admin_as="")
    )


async def set_language(session: AsyncSession, tenant_id: str, user_object_id: str, language: str | None) -> None:
    """None goes back to the client's own language."""
    await _change(session, tenant_id, user_object_id, language=language)


async def mark_welcomed(session: AsyncSession, tenant_id: str, user_object_id: str) -> None:
    await _change(session, tenant_id, user_object_id, welcomed=True)


async def mark_unreachable(session: AsyncSession, tenant_id: str, user_object_id: str) -> None:
    """Blocked or uninstalled: not to be written to until they speak again."""
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
