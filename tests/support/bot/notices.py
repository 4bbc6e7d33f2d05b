"""Notices from the store to the wire: real store, real hosting, a connector that records what it receives."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

from prometheus_client import CollectorRegistry
from sqlmodel import select

from bot.activity import Card
from bot.cards.field_errors import Links
from bot.chat.bot_context import BotContext
from bot.languages import load_texts
from bot.proactive.notifier import Notifier
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.queries.health.notices import State
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.roles import Member
from sync.domain.jobs import NOTIFY
from sync.domain.roles import Role
from sync.monitoring.store_gauges import StoreGauges
from sync.problems.notice_scheduler import NoticeScheduler
from sync.reports.reports import Reports
from tests.support.bot.fakes import words
from tests.support.bot.hosting import TENANT, Bot, open_bot
from tests.support.services.connectors import Call
from tests.support.services.fake_services import context_of
from tests.support.storage.stores import database_with_tables, integration, stored

ADMINS = ("ada", "ben")


@dataclass
class RecordedJobs:
    """A job queue that records and runs nothing."""

    deferred: list[tuple[str, str]] = field(default_factory=list)
    shared: None = None

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        if at is None:
            self.deferred.append((job, key))

    async def defer_all(self, names: Iterable[tuple[str, str]]) -> None:
        for job, key in names:
            await self.defer(job, key)

    async def queued(self, job: str) -> set[str]:
        return set()


@dataclass
class Process:
    """One process's notice scheduler and notifier; ``skew`` and ``update`` are the clock and version it sees."""

    notice_scheduler: NoticeScheduler
    notifier: Notifier
    jobs: RecordedJobs
    registry: CollectorRegistry
    database: Database
    metrics: Metrics
    clock: Clock
    skew: float | None = None
    update: int | None = None

    async def schedule_and_send(self) -> None:
        """Schedule the notices, then send those that are due."""
        await self.notice_scheduler.run("all")
        await self.send_due()

    async def send_due(self) -> None:
        keys = {key for job, key in self.jobs.deferred if job == NOTIFY}
        self.jobs.deferred.clear()
        await asyncio.gather(*(self.notifier.notify(key) for key in keys))

    async def metric(self, name: str, **labels: str) -> float:
        """A gauge of the store, read now."""
        await StoreGauges(self.database, self.metrics, self.clock).refresh()
        return self.registry.get_sample_value(f"cloudlink_presence_{name}", labels) or 0.0


@dataclass
class NoticeHarness:
    """A store, a bot, a connector, and one process; ``another`` makes one more on the same store."""

    bot: Bot
    database: Database
    url: str
    process: Process
    stack: AsyncExitStack

    @property
    def now(self) -> datetime:
        return self.bot.clock.now

    async def schedule_and_send(self) -> None:
        await self.process.schedule_and_send()

    async def another(self) -> Process:
        database = await self.stack.enter_async_context(open_database(self.url))
        return make_process(self.bot, database)

    async def admin(self, name: str, **changed: Any) -> None:
        """An administrator who has spoken with the bot."""
        given: dict[str, Any] = {
            "tenant_id": TENANT,
            "user_object_id": name,
            "service_url": self.bot.connector.url,
            "conversation_id": f"a:{name}",
            "user_id": f"29:{name}",
            "bot_id": "28:bot",
            "channel_id": "msteams",
            "locale": "en-US",
            "admin_as": name,
            "name": name.title(),
            "seen_at": self.now,
        }
        await stored(self.database, Conversation(**{**given, **changed}))

    async def role(self, name: str, role: Role, **changed: Any) -> None:
        """Give a person a role."""
        given = {"id": name, "owner_tenant": TENANT, "user_object_id": name, "role": role, "invited_at": self.now}
        await stored(self.database, Member(**{**given, **changed}))

    async def integration(self, days: int | None, **changed: Any) -> Integration:
        """An integration whose secret expires in so many days."""
        expires = None if days is None else self.now.date() + timedelta(days=days)
        given = {"owner_tenant": TENANT, "secret_expires_on": expires, "created_at": self.now}
        row = integration(**{**given, **changed})
        await stored(self.database, row)
        return row

    async def change(self, row: Any, **values: Any) -> None:
        async with self.database.writing() as session:
            merged = await session.merge(row)
            for name, value in values.items():
                setattr(merged, name, value)
            session.add(merged)

    async def notices(self) -> list[Notice]:
        async with self.database.session() as session:
            return list((await session.exec(select(Notice))).all())

    async def states(self) -> dict[str, list[State]]:
        """The states of each audience's notices."""
        found: dict[str, list[State]] = {}
        for notice in await self.notices():
            found.setdefault(notice.audience, []).append(State(notice.state))
        return found

    def arrived(self, audience: str = "") -> list[Call]:
        """What was posted, to all chats or to one."""
        return [call for call in self.bot.connector.sent() if not audience or chat_of(call) == f"a:{audience}"]

    def said(self, audience: str) -> list[str]:
        """The titles of what was posted to one chat."""
        return [title(call.card) for call in self.arrived(audience)]

    def changed(self) -> list[str]:
        """The visible text of every card update."""
        return [words(call.card) for call in self.bot.connector.sent("PUT")]


def chat_of(call: Call) -> str:
    return unquote(call.path.split("/")[3])


def title(card: Card) -> str:
    return str(card["fallbackText"])


def make_process(bot: Bot, database: Database) -> Process:
    jobs, registry = RecordedJobs(), CollectorRegistry()
    metrics = Metrics(registry)
    bot_context = BotContext(database, AdminsSetting(ADMINS), bot.clock, load_texts(), Links())
    notifier = Notifier(bot_context, bot.host.messenger, Random(3))
    context = context_of(database, jobs=jobs, clock=bot.clock, metrics=metrics)
    notice_scheduler = NoticeScheduler(
        context,
        timedelta(seconds=10),
        lambda _, now: process.update,
        lambda: process.skew,
        Reports(context).digest,
    )
    process = Process(notice_scheduler, notifier, jobs, registry, database, metrics, bot.clock)
    return process


@asynccontextmanager
async def open_notice_harness(folder: Path) -> AsyncIterator[NoticeHarness]:
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(open_bot())
        url = stack.enter_context(database_with_tables(folder))
        database = await stack.enter_async_context(open_database(url))
        yield NoticeHarness(bot, database, url, make_process(bot, database), stack)
