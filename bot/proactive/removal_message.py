"""Says in the chat that a removal which took long has ended; the job ``SHOW_REMOVED``."""

from datetime import timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Card, Messenger, Undelivered, Unreachable
from bot.cards.integrations.listing import removed
from bot.cards.parts import summary
from bot.chat.bot_context import BotContext
from bot.proactive.recipients import address_of, language_for
from storage.queries import history, integrations
from storage.queries.chat import conversations
from storage.tables.conversations import Conversation
from sync.audit import Act
from sync.domain.jobs import SHOW_REMOVED, Jobs
from sync.domain.roles import Role

AGAIN = timedelta(seconds=2)

log = structlog.get_logger()


class RemovalMessage:
    """``jobs`` runs the job again while the removal is not stored yet."""

    def __init__(self, context: BotContext, messenger: Messenger, jobs: Jobs) -> None:
        self._context = context
        self._messenger = messenger
        self._jobs = jobs

    async def show(self, integration_id: str) -> None:
        """Run the job: tell who removed it. Raises ``Undelivered``, so that the job is retried."""
        async with self._context.database.session() as session:
            is_there = await integrations.get(session, integration_id) is not None
            found = None if is_there else await self._find(session, integration_id)
        if is_there:
            await self._jobs.defer(SHOW_REMOVED, integration_id, at=self._context.clock() + AGAIN)
        elif found:
            await self._send(*found)

    async def _find(self, session: AsyncSession, integration_id: str) -> tuple[Conversation, Card] | None:
        """The chat of who removed it, while they may use the bot, and the card for it."""
        begun = await history.last_act(session, integration_id, Act.REMOVE)
        ended = await history.last_act(session, integration_id, Act.REMOVED)
        chat = await conversations.find(session, begun.owner_tenant, begun.actor_id) if begun else None
        if begun is None or ended is None or chat is None or chat.unreachable:
            return None
        role = await self._context.access.role_of(session, begun.owner_tenant, begun.actor_id)
        if not role.covers(Role.VIEWER):
            return None
        texts = self._context.languages[language_for(chat)]
        left = int(ended.facts.get("left", 0))
        return chat, removed(texts, integration_id, begun.integration_name, left)

    async def _send(self, chat: Conversation, card: Card) -> None:
        try:
            await self._messenger.send(address_of(chat), card, summary(card))
        except Unreachable:
            log.info("removal_message_unreachable", tenant=chat.tenant_id)
        except Undelivered as error:
            if not error.perhaps:
                raise
