"""Keeps the cards that show an installation up to date, wherever they are; the job ``SHOW_UPDATE``."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.activity import Messenger, Undelivered, Unreachable
from bot.cards.field_errors import FormError, Links, form_error
from bot.cards.integrations.update import installation_card
from bot.cards.parts import summary
from bot.chat.bot_context import BotContext
from bot.chat.idempotency import with_press_id
from bot.languages import Texts
from bot.proactive.recipients import address_of, language_for
from storage.queries.chat import conversations
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.roles import Role
from sync.updates.model import CardAddress, Installation
from sync.updates.service import UpdateService

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
"""Seconds before each update of a card, so that a pressed button has received its own answer first."""


class UpdateCards:
    """Updates the cards of an installation."""

    def __init__(
        self,
        context: BotContext,
        updates: UpdateService,
        messenger: Messenger,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._updates = updates
        self._messenger = messenger
        self._sleep = sleep

    async def show(self, integration_id: str) -> None:
        """Run the job. Raises ``Undelivered`` when a card could not show the result, so that the job is retried."""
        await self._sleep(PAUSE_SECONDS)
        found = await self._updates.cards_to_update(integration_id)
        if found is None or not found[1]:
            return
        installation, places = found
        undelivered = [error for place in places if (error := await self._update(place, installation))]
        if installation.is_open:
            return
        if undelivered:
            raise undelivered[0]
        await self._updates.release_cards(integration_id, installation)

    async def _update(self, place: CardAddress, installation: Installation) -> Undelivered | None:
        async with self._context.database.session() as session:
            chat = await conversations.find(session, place.tenant_id, place.user_object_id)
            role = await self._context.access.role_of(session, place.tenant_id, place.user_object_id)
        if chat is None or chat.unreachable or not place.activity_id or not role.covers(Role.ADMINISTRATOR):
            return None
        texts = self._context.languages[language_for(chat)]
        shown = installation_card(texts, installation, form_error_of(installation, texts, self._context.links))
        card = with_press_id(shown, f"{installation.integration_id} {installation.started_at:%y%m%d%H%M%S%f}")
        try:
            await self._messenger.update(address_of(chat), place.activity_id, card, summary(card))
        except Unreachable:
            async with self._context.database.writing() as session:
                await conversations.mark_unreachable(session, place.tenant_id, place.user_object_id)
        except Undelivered as error:
            log.info("update_card_undelivered", integration=installation.integration_id, status=error.status)
            return error
        return None


def form_error_of(installation: Installation, texts: Texts, links: Links) -> FormError | None:
    """Why the installation failed, in words; None if it did not, or failed by an error of our own."""
    fault = installation.current.fault
    if fault not in set(Fault):
        return None
    error = CredentialsWrong(Fault(fault), **installation.current.fault_facts)
    return form_error(error, texts, links)
