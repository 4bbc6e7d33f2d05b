"""Personal chats the bot has seen: where to speak first, and in which language."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import in_turn
from storage.tables import Conversation


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


async def reachable(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """The tenant's conversations that still take messages, oldest acquaintance last."""
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant_id, col(Conversation.unreachable).is_(False))
        .order_by(col(Conversation.seen_at).desc())
    )
    return list((await session.exec(query)).all())


async def administrators(session: AsyncSession, tenant_id: str) -> list[Conversation]:
    """The tenant's administrators who have spoken with the bot, those who cannot be reached among them."""
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant_id, Conversation.admin_as != "")
        .order_by(col(Conversation.user_object_id))
    )
    return list((await session.exec(query)).all())


async def set_admin(session: AsyncSession, tenant_id: str, user_object_id: str, admin_as: str) -> None:
    """``admin_as`` is the entry of ``ADMINS`` that admitted them; empty: they are no administrator."""
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
