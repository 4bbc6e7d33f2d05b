"""Who receives a notice: a person or a channel, with their address, language and quiet hours."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Address
from bot.cards.field_errors import Link
from bot.chat.bot_context import BotContext
from bot.languages import Language, Texts, language_of
from bot.languages.quiet_hours import zone_of
from storage.queries.chat import conversations
from storage.queries.health import alerts
from storage.queries.health.alerts import ANY_INTEGRATION, CHANNEL_PREFIX
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel, AlertPreference
from sync.domain.roles import NOTIFIED_ROLES


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a notice goes, in which language, and the quiet hours."""

    address: Address
    texts: Texts
    zone: str
    is_reachable: bool
    is_muted: bool = False
    quiet_from: str = ""
    quiet_until: str = ""
    chat_link: Link | None = None


class Recipients:
    """Finds the recipient of an audience: a person's id, or a channel's after ``CHANNEL_PREFIX``."""

    def __init__(self, context: BotContext) -> None:
        self._context = context

    async def find(self, session: AsyncSession, integration: Integration, audience: str) -> Recipient | None:
        """None for a person who is no longer an administrator, or a channel that no longer receives notices."""
        tenant = integration.owner_tenant
        if audience.startswith(CHANNEL_PREFIX):
            channels = await alerts.list_channels(session, tenant)
            found = [one for one in channels if CHANNEL_PREFIX + one.conversation_id == audience]
            return self._channel(found[0]) if found else None
        person = await conversations.find(session, tenant, audience)
        if person is None or await self._context.access.role_of(session, tenant, audience) not in NOTIFIED_ROLES:
            return None
        preferences = await alerts.preferences_by_integration(session, tenant, audience)
        return self._person(person, preferences, integration.id)

    def _person(
        self, person: Conversation, preferences: Mapping[str, AlertPreference], integration_id: str
    ) -> Recipient:
        texts = self._context.languages[language_for(person)]
        mine, general = preferences.get(integration_id), preferences.get(ANY_INTEGRATION)
        return Recipient(
            address=address_of(person),
            texts=texts,
            zone=zone_of(general.time_zone if general else "", person.time_zone, texts.language),
            is_reachable=not person.unreachable,
            is_muted=mine is not None and mine.muted,
            quiet_from=general.quiet_from if general else "",
            quiet_until=general.quiet_until if general else "",
        )

    def _channel(self, channel: AlertChannel) -> Recipient:
        language = Language(channel.language) if channel.language in list(Language) else Language.ENGLISH
        texts = self._context.languages[language]
        return Recipient(
            address=Address(
                service_url=channel.service_url,
                conversation_id=channel.conversation_id,
                tenant_id=channel.owner_tenant,
                user_id="",
                bot_id=channel.bot_id,
                channel_id=channel.channel_id,
            ),
            texts=texts,
            zone=zone_of("", "", language),
            is_reachable=not channel.unreachable,
            chat_link=Link(texts("personal.open"), self._context.links.personal_chat(channel.bot_id)),
        )


def language_for(person: Conversation) -> Language:
    """The language the person chose, or else their client's."""
    return Language(person.language) if person.language in list(Language) else language_of(person.locale)


def address_of(person: Conversation) -> Address:
    """The address of a person's chat."""
    return Address(
        service_url=person.service_url,
        conversation_id=person.conversation_id,
        tenant_id=person.tenant_id,
        user_id=person.user_id,
        bot_id=person.bot_id,
        channel_id=person.channel_id,
    )
