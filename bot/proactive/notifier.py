"""Tells administrators what waits to be told, and changes what was told once somebody has acted.

A notice is taken by one process alone (waiting, then sending) before it is sent. Whoever dies in between, or
loses the channel's answer, leaves it at ``sending``: perhaps it arrived, so it is never sent again; the metrics
count it, and what is still true a day later is told under a name of its own. A failure that surely delivered
nothing is tried again, ever more slowly. Changing a card bears being done twice, so it is leased instead.
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
from bot.cards.notices import Done, Telling, closed_card, notice_card
from bot.cards.parts import summary
from bot.chat.idempotency import stamped
from bot.languages import Language, Texts, language_of, load_texts
from bot.languages.quiet_hours import quiet_until, zone_of
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.queries import alerts, conversations, integrations, notices
from storage.queries.alerts import ANY_INTEGRATION, CHANNEL_PREFIX
from storage.queries.notices import State
from storage.queries.roles import NOTIFIED_ROLES
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel, AlertPreference, Notice
from sync.integrations.views import integration_view

log = structlog.get_logger()

FIRST_RETRY = timedelta(seconds=30)
LAST_RETRY = timedelta(hours=1)
LEASE = timedelta(minutes=10)
"""Longer than the channel is ever waited for."""

MOST_CHANGES = 12
"""So often is it tried to change a card that stays out of reach."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a notice goes, in which language, and when not."""

    address: Address
    texts: Texts
    zone: str
    is_reachable: bool
    is_muted: bool = False
    quiet_from: str = ""
    quiet_until: str = ""
    way_in: Link | None = None


class Notifier:
    """The job ``NOTIFY``: for one integration, all that is due. Any number of processes may run it."""

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        access: AdminsSetting,
        clock: Clock,
        random: Random,
        links: Links | None = None,
        languages: Mapping[Language, Texts] | None = None,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._access = access
        self._clock = clock
        self._random = random
        self._links = links or Links()
        self._languages = languages or load_texts()

    async def start(self) -> None:
        """Whoever is no longer named in the settings hears nothing any more."""
        async with self._database.writing() as session:
            await conversations.revoke_administrators(session, self._access.entries())

    async def notify(self, integration_id: str) -> None:
        """The job: each audience in its own time, and to each one thing after the other."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            rows = await notices.list_due(session, integration_id, self._clock())
        if integration is None:
            return
        by_audience: dict[str, list[Notice]] = defaultdict(list)
        for row in rows:
            by_audience[row.audience].append(row)
        await asyncio.gather(*(self._speak(integration, mine) for mine in by_audience.values()))

    async def _speak(self, integration: Integration, rows: list[Notice]) -> None:
        for row in rows:
            async with self._database.session() as session:
                recipient = await self._recipient(session, integration, row.audience)
            if row.state == State.WAITING:
                await self._tell(integration, row, recipient)
            else:
                await self._change(integration, row, recipient)

    async def _tell(self, integration: Integration, row: Notice, recipient: Recipient | None) -> None:
        now = self._clock()
        if recipient is None or recipient.is_muted:
            return await self._move(row, State.WAITING, state=State.DROPPED)
        if not recipient.is_reachable:
            return await self._move(row, State.WAITING, state=State.UNREACHABLE)
        until = quiet_until(now, recipient.quiet_from, recipient.quiet_until, recipient.zone)
        if until and not row.facts.get("urgent"):
            return await self._move(row, State.WAITING, due_at=until)
        async with self._database.writing() as session:
            is_mine = await notices.claim(session, row.id, now)
        if is_mine:
            await self._send(integration, row, recipient)
        return None

    async def _send(self, integration: Integration, row: Notice, recipient: Recipient) -> None:
        told = notice_card(recipient.texts, self._telling(integration, row, recipient), self._clock())
        card = stamped(told, row.id)
        try:
            activity = await self._messenger.send(recipient.address, card, summary(card))
        except Unreachable:
            await self._give_up(row)
        except Undelivered as failure:
            await self._try_later(row, failure)
        else:
            where = {"conversation_id": recipient.address.conversation_id, "activity_id": activity}
            await self._move(row, State.SENDING, state=State.SENT, sent_at=self._clock(), **where)
            log.info("notice_sent", integration=row.integration_id, topic=row.topic, stage=row.stage)

    async def _give_up(self, row: Notice) -> None:
        """They take no more messages: remembered until they speak again."""
        log.warning("notice_unreachable", integration=row.integration_id, topic=row.topic)
        async with self._database.writing() as session:
            if row.audience.startswith(CHANNEL_PREFIX):
                channel = row.audience.removeprefix(CHANNEL_PREFIX)
                await alerts.mark_channel_unreachable(session, row.owner_tenant, channel)
            else:
                await conversations.mark_unreachable(session, row.owner_tenant, row.audience)
            await notices.transition(session, row.id, State.SENDING, state=State.UNREACHABLE)

    async def _try_later(self, row: Notice, failure: Undelivered) -> None:
        if failure.perhaps:
            log.warning("notice_outcome_unknown", integration=row.integration_id, topic=row.topic)
            return
        due_at, attempts = self._clock() + self._pause(row.attempts), row.attempts + 1
        await self._move(row, State.SENDING, state=State.WAITING, due_at=due_at, attempts=attempts)

    async def _change(self, integration: Integration, row: Notice, recipient: Recipient | None) -> None:
        """Put what was done where the notice stands."""
        if recipient is None or not recipient.is_reachable or not row.activity_id:
            return await self._move(row, State.CLOSING, state=State.CLOSED)
        async with self._database.writing() as session:
            is_mine = await notices.lease(session, row, self._clock() + LEASE)
        if not is_mine:
            return None
        done = Done(str(row.facts.get("closed", "healed")), row.closed_by, row.closed_at or self._clock())
        card = closed_card(recipient.texts, self._telling(integration, row, recipient), done)
        address = replace(recipient.address, conversation_id=row.conversation_id)
        try:
            await self._messenger.update(address, row.activity_id, card, summary(card))
        except Unreachable:
            pass
        except Undelivered as failure:
            if row.attempts < MOST_CHANGES and failure.status != 404:
                due_at = self._clock() + self._pause(row.attempts)
                return await self._move(row, State.CLOSING, due_at=due_at, attempts=row.attempts + 1)
        return await self._move(row, State.CLOSING, state=State.CLOSED)

    async def _move(self, row: Notice, expected: State, **values: object) -> None:
        async with self._database.writing() as session:
            await notices.transition(session, row.id, expected, **values)

    def _pause(self, attempts: int) -> timedelta:
        pause: timedelta = min(LAST_RETRY, FIRST_RETRY * 2 ** min(attempts, 10))
        return pause * self._random.uniform(0.5, 1.0)

    def _telling(self, integration: Integration, row: Notice, recipient: Recipient) -> Telling:
        return Telling(
            id=row.id,
            topic=row.topic,
            facts=row.facts,
            integration=integration_view(integration),
            links=self._links,
            zone=recipient.zone,
            way_in=recipient.way_in,
        )

    async def _recipient(self, session: AsyncSession, integration: Integration, audience: str) -> Recipient | None:
        """None for who is no administrator (any more), or a channel that does not want it (any more)."""
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
            way_in=Link(texts("personal.open"), self._links.personal_chat(channel.bot_id)),
        )


def language_for(person: Conversation) -> Language:
    """The language somebody chose here, or else their client's."""
    return Language(person.language) if person.language in list(Language) else language_of(person.locale)
