"""Sends due notices to administrators, and updates sent cards once a notice is closed.

One process claims a notice (waiting, then sending) before sending it. If the process dies in between, or the
channel's response is lost, the notice stays at ``sending``: it may have arrived, so it is never sent again; metrics
count it, and a problem that still exists a day later gets a notice of its own. A failure that certainly delivered
nothing is retried with growing pauses. Updating a card twice does no harm, so for that a notice is only leased.
"""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from random import Random

import structlog

from bot.activity import Messenger, Undelivered, Unreachable
from bot.cards.health.notices import Done, NoticeView, closed_card, notice_card
from bot.cards.parts import summary
from bot.chat.bot_context import BotContext
from bot.chat.idempotency import with_press_id
from bot.languages.quiet_hours import quiet_until
from bot.proactive.recipients import Recipient, Recipients
from storage.queries import integrations
from storage.queries.chat import conversations
from storage.queries.health import alerts, notices, problems
from storage.queries.health.alerts import CHANNEL_PREFIX
from storage.queries.health.notices import State
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from sync.integrations.views import integration_view
from sync.problems.health import is_credential_refused
from sync.problems.notice_plan import DIGEST, says_valid

log = structlog.get_logger()

FIRST_RETRY = timedelta(seconds=30)
LAST_RETRY = timedelta(hours=1)
LEASE = timedelta(minutes=10)
"""Longer than any wait for the channel."""

DOUBTED = timedelta(minutes=5)
"""How long a notice of a valid credential waits while that is refused."""

MAX_UPDATES = 12
"""The attempts to update a card that cannot be reached."""


class Notifier:
    """The job ``NOTIFY``: sends everything due for one integration. Any number of processes may run it."""

    def __init__(self, context: BotContext, messenger: Messenger, random: Random) -> None:
        self._database = context.database
        self._clock = context.clock
        self._context = context
        self._recipients = Recipients(context)
        self._messenger = messenger
        self._random = random

    async def start(self) -> None:
        """Forget administrators that the setting no longer names, so that they receive no notices."""
        async with self._database.writing() as session:
            await conversations.revoke_administrators(session, self._context.access.names)

    async def notify(self, integration_id: str) -> None:
        """Run the job: audiences in parallel, the notices of one audience one after the other."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            rows = await notices.list_due(session, integration_id, self._clock())
            is_refused = is_credential_refused(await problems.list_open(session, integration_id))
        if integration is None or integration.removing_since:
            return
        by_audience: dict[str, list[Notice]] = defaultdict(list)
        for row in await self._without_doubtful(rows) if is_refused else rows:
            by_audience[row.audience].append(row)
        await asyncio.gather(*(self._process(integration, mine) for mine in by_audience.values()))

    async def _without_doubtful(self, rows: list[Notice]) -> list[Notice]:
        """Of a refused credential: without what calls it valid, which waits until it works or is replaced."""
        now = self._clock()
        doubtful = [row.id for row in rows if row.state == State.WAITING and says_valid(row, now.date())]
        async with self._database.writing() as session:
            await notices.transition_all(session, doubtful, State.WAITING, due_at=now + DOUBTED)
        for row in rows:
            if row.topic == DIGEST:
                row.facts = {**row.facts, "secret_days": None}
        return [row for row in rows if row.id not in doubtful]

    async def _process(self, integration: Integration, rows: list[Notice]) -> None:
        for row in rows:
            async with self._database.session() as session:
                recipient = await self._recipients.find(session, integration, row.audience)
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
            links=self._context.links,
            zone=recipient.zone,
            chat_link=recipient.chat_link,
        )
