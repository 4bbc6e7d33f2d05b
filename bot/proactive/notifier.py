"""Sends due notices to administrators, and updates sent cards once a notice is closed.

One process claims a notice (waiting, then sending) before sending it. If the process dies in between, or the
channel's response is lost, the notice stays at ``sending``: it may have arrived, so it is never sent again; metrics
count it, and a problem that still exists a day later gets a notice of its own. A failure that certainly delivered
nothing is retried with growing pauses. Updating a card twice does no harm, so for that a notice is only leased.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Address, Messenger, Undelivered, Unreachable
from bot.cards.field_errors import Link, Links
from bot.cards.notices import Done, NoticeView, closed_card, notice_card
from bot.cards.parts import summary
from bot.chat.idempotency import with_press_id
from bot.languages import Language, Texts, language_of
from bot.languages.quiet_hours import quiet_until, zone_of
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.queries import alerts, conversations, integrations, notices
from storage.queries.alerts import ANY_INTEGRATION, CHANNEL_PREFIX
from storage.queries.notices import State
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel, AlertPreference, Notice
from sync.domain.roles import NOTIFIED_ROLES
from sync.integrations.views import integration_view

log = structlog.get_logger()

FIRST_RETRY = timedelta(seconds=30)
LAST_RETRY = timedelta(hours=1)
LEASE = timedelta(minutes=10)
"""Longer than any wait for the channel."""

MAX_UPDATES = 12
"""The attempts to update a card that cannot be reached."""


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


class Notifier:
    """The job ``NOTIFY``: sends everything due for one integration. Any number of processes may run it."""

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        access: AdminsSetting,
        clock: Clock,
        random: Random,
        languages: Mapping[Language, Texts],
        links: Links,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._access = access
        self._clock = clock
        self._random = random
        self._links = links
        self._languages = languages

    async def start(self) -> None:
        """Forget administrators that the setting no longer names, so that they receive no notices."""
        async with self._database.writing() as session:
            await conversations.revoke_administrators(session, self._access.entries())

    async def notify(self, integration_id: str) -> None:
        """Run the job: audiences in parallel, the notices of one audience one after the other."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            rows = await notices.list_due(session, integration_id, self._clock())
        if integration is None:
            return
        by_audience: dict[str, list[Notice]] = defaultdict(list)
        for row in rows:
            by_audience[row.audience].append(row)
        await asyncio.gather(*(self._process(integration, mine) for mine in by_audience.values()))

    async def _process(self, integration: Integration, rows: list[Notice]) -> None:
        for row in rows:
            async with self._database.session() as session:
                recipient = await self._recipient(session, integration, row.audience)
            if row.state == State.WAITING:
                await self._deliver(integration, row, recipient)
            else:
                await self._update(integration, row, recipient)

    async def _deliver(self, integration: Integration, row: Notice, recipient: Recipient | None) -> None:
        now = self._clock()
        if recipient is None or recipient.is_muted:
            return await self._transition(row, State.WAITING, state=State.DROPPED)
        if not recipient.is_reachable:
            return await self._transition(row, State.WAITING, state=State.UNREACHABLE)
        until = quiet_until(now, recipient.quiet_from, recipient.quiet_until, recipient.zone)
        if until and not row.facts.get("urgent"):
            return await self._transition(row, State.WAITING, due_at=until)
        async with self._database.writing() as session:
            is_claimed = await notices.claim(session, row.id, now)
        if is_claimed:
            await self._send(integration, row, recipient)
        return None

    async def _send(self, integration: Integration, row: Notice, recipient: Recipient) -> None:
        unpressed = notice_card(recipient.texts, self._notice_view(integration, row, recipient), self._clock())
        card = with_press_id(unpressed, row.id)
        try:
            activity = await self._messenger.send(recipient.address, card, summary(card))
        except Unreachable:
            await self._mark_unreachable(row)
        except Undelivered as failure:
            await self._retry_later(row, failure)
        else:
            where = {"conversation_id": recipient.address.conversation_id, "activity_id": activity}
            await self._transition(row, State.SENDING, state=State.SENT, sent_at=self._clock(), **where)
            log.info("notice_sent", integration=row.integration_id, topic=row.topic, stage=row.stage)

    async def _mark_unreachable(self, row: Notice) -> None:
        """Mark the recipient unreachable until they write again."""
        log.warning("notice_unreachable", integration=row.integration_id, topic=row.topic)
        async with self._database.writing() as session:
            if row.audience.startswith(CHANNEL_PREFIX):
                channel = row.audience.removeprefix(CHANNEL_PREFIX)
                await alerts.mark_channel_unreachable(session, row.owner_tenant, channel)
            else:
                await conversations.mark_unreachable(session, row.owner_tenant, row.audience)
            await notices.transition(session, row.id, State.SENDING, state=State.UNREACHABLE)

    async def _retry_later(self, row: Notice, failure: Undelivered) -> None:
        if failure.perhaps:
            log.warning("notice_outcome_unknown", integration=row.integration_id, topic=row.topic)
            return
        due_at, attempts = self._clock() + self._pause(row.attempts), row.attempts + 1
        await self._transition(row, State.SENDING, state=State.WAITING, due_at=due_at, attempts=attempts)

    async def _update(self, integration: Integration, row: Notice, recipient: Recipient | None) -> None:
        """Replace the notice's card with how it was closed."""
        if recipient is None or not recipient.is_reachable or not row.activity_id:
            return await self._transition(row, State.CLOSING, state=State.CLOSED)
        async with self._database.writing() as session:
            is_claimed = await notices.lease(session, row, self._clock() + LEASE)
        if not is_claimed:
            return None
        done = Done(str(row.facts.get("closed", "healed")), row.closed_by, row.closed_at or self._clock())
        card = closed_card(recipient.texts, self._notice_view(integration, row, recipient), done)
        address = replace(recipient.address, conversation_id=row.conversation_id)
        try:
            await self._messenger.update(address, row.activity_id, card, summary(card))
        except Unreachable:
            pass
        except Undelivered as failure:
            if row.attempts < MAX_UPDATES and failure.status != 404:
                due_at = self._clock() + self._pause(row.attempts)
                return await self._transition(row, State.CLOSING, due_at=due_at, attempts=row.attempts + 1)
        return await self._transition(row, State.CLOSING, state=State.CLOSED)

    async def _transition(self, row: Notice, expected: State, **values: object) -> None:
        async with self._database.writing() as session:
            await notices.transition(session, row.id, expected, **values)

    def _pause(self, attempts: int) -> timedelta:
        pause: timedelta = min(LAST_RETRY, FIRST_RETRY * 2 ** min(attempts, 10))
        return pause * self._random.uniform(0.5, 1.0)

    def _notice_view(self, integration: Integration, row: Notice, recipient: Recipient) -> NoticeView:
        return NoticeView(
            id=row.id,
            topic=row.topic,
            facts=row.facts,
            integration=integration_view(integration),
            links=self._links,
            zone=recipient.zone,
            chat_link=recipient.chat_link,
        )

    async def _recipient(self, session: AsyncSession, integration: Integration, audience: str) -> Recipient | None:
        """None for a person who is no longer an administrator, or a channel that no longer receives notices."""
        tenant = integration.owner_tenant
        if audience.startswith(CHANNEL_PREFIX):
            channels = await alerts.list_channels(session, tenant)
            found = [one for one in channels if CHANNEL_PREFIX + one.conversation_id == audience]
            return self._channel(found[0]) if found else None
        person = await conversations.find(session, tenant, audience)
        if person is None or await self._access.role_of(session, tenant, audience) not in NOTIFIED_ROLES:
            return None
        preferences = await alerts.preferences_by_integration(session, tenant, audience)
        return self._person(person, preferences, integration.id)

    def _person(
        self, person: Conversation, preferences: Mapping[str, AlertPreference], integration_id: str
    ) -> Recipient:
        texts = self._languages[language_for(person)]
        mine, general = preferences.get(integration_id), preferences.get(ANY_INTEGRATION)
        return Recipient(
            address=Address(
                service_url=person.service_url,
                conversation_id=person.conversation_id,
                tenant_id=person.tenant_id,
                user_id=person.user_id,
                bot_id=person.bot_id,
                channel_id=person.channel_id,
            ),
            texts=texts,
            zone=zone_of(general.time_zone if general else "", person.time_zone, texts.language),
            is_reachable=not person.unreachable,
            is_muted=mine is not None and mine.muted,
            quiet_from=general.quiet_from if general else "",
            quiet_until=general.quiet_until if general else "",
        )

    def _channel(self, channel: AlertChannel) -> Recipient:
        language = Language(channel.language) if channel.language in list(Language) else Language.ENGLISH
        texts = self._languages[language]
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
            chat_link=Link(texts("personal.open"), self._links.personal_chat(channel.bot_id)),
        )


def language_for(person: Conversation) -> Language:
    """The language the person chose, or else their client's."""
    return Language(person.language) if person.language in list(Language) else language_of(person.locale)
