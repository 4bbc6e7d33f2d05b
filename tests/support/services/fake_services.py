"""Fake services: they record their calls and return what a test sets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import aiohttp
from prometheus_client import CollectorRegistry

from core.clock import Clock
from core.metrics import Metrics
from storage.database import Database
from storage.transaction import Transaction
from sync.cloudlink.own_webhook import post_sealed
from sync.domain.changes import Done, Outcome, Request
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import Jobs
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.phone_events import CallSnapshot, CallState, CloudLinkUser, LineSnapshot
from sync.domain.presence import Shown
from sync.domain.services import (
    Account,
    DirectoryPage,
    Group,
    LinesRead,
    MembersPage,
    NewPassword,
    Password,
    Registration,
    ServiceClients,
)
from tests.support.clocks import FakeClock
from tests.support.services.delta_query import DeltaQuery

Answering = Callable[[Request], Outcome]
AVAILABLE = Shown("Available", "Available")


@dataclass
class FakeGraph:
    """``answer`` returns each change's outcome, ``error`` is raised for all, ``during_push`` runs during a push.

    ``shown`` is what is read of a user, Available for the others but the ``unknown``; ``asked`` are the reads.
    ``groups_of`` are groups with their members' ids; ``group_error`` is raised by what reads them, ``users_error``
    by what lists users.
    """

    pushed: list[list[Request]] = field(default_factory=list)
    answer: Answering = lambda _: Done()
    error: SyncError | None = None
    during_push: Callable[[], object] | None = None
    accounts: list[Account] = field(default_factory=list)
    groups_of: dict[Group, list[str]] = field(default_factory=dict)
    group_error: SyncError | None = None
    users_error: SyncError | None = None
    directory: DeltaQuery = field(default_factory=DeltaQuery)
    shown: dict[str, Shown] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)
    during_users: Callable[[], Awaitable[None]] | None = None
    during_read: Callable[[], Awaitable[None]] | None = None

    async def push(self, changes: Sequence[Request]) -> list[Outcome]:
        self.pushed.append(list(changes))
        if self.during_push:
            happening = self.during_push()
            if hasattr(happening, "__await__"):
                await happening
        if self.error:
            raise self.error
        return [self.answer(change) for change in changes]

    @property
    def sent(self) -> list[Request]:
        return [change for batch in self.pushed for change in batch]

    async def read(self, user_ids: Sequence[str]) -> dict[str, Shown]:
        self.asked.append(list(user_ids))
        if self.during_read:
            await self.during_read()
        if self.error:
            raise self.error
        return {user: self.shown.get(user, AVAILABLE) for user in user_ids if user not in self.unknown}

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        if self.during_read:
            await self.during_read()
        if self.error:
            raise self.error
        return dict.fromkeys(user_ids, "")

    async def organisation(self) -> str:
        if self.error:
            raise self.error
        return "Vale Verde"

    async def changes(self, link: str) -> DirectoryPage:
        if error := self.error or self.users_error:
            raise error
        found = self.directory.changes(self.accounts, link)
        if self.during_users:
            await self.during_users()
        return found

    async def find(self, principal_name: str) -> Account | None:
        if self.error:
            raise self.error
        wanted = principal_name.casefold()
        return next((each for each in self.accounts if each.principal_name.casefold() == wanted), None)

    async def groups(self, typed: str) -> list[Group]:
        if self.group_error:
            raise self.group_error
        return [group for group in self.groups_of if typed.casefold() in (group.id, group.name.casefold())]

    async def members(self, group_id: str, link: str) -> MembersPage:
        if self.group_error:
            raise self.group_error
        return MembersPage(next(tuple(users) for group, users in self.groups_of.items() if group.id == group_id))


@dataclass
class FakeCloudLink:
    """An account with people, phones and subscriptions."""

    people: list[CloudLinkUser] = field(default_factory=list)
    phones: dict[str, LineSnapshot] = field(default_factory=dict)
    subscribed: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    error: SyncError | None = None
    unread: dict[str, SyncError] = field(default_factory=dict)
    users_error: SyncError | None = None
    made: int = 0
    before_reply: Callable[[], None] = field(default=lambda: None)

    def _fail(self) -> None:
        self.before_reply()
        if self.error:
            raise self.error

    async def region(self) -> str:
        return ""

    async def account_name(self) -> str:
        self._fail()
        return "Vale Verde"

    async def users(self) -> list[CloudLinkUser]:
        self._fail()
        if self.users_error:
            raise self.users_error
        return self.people

    def connect(self, *extensions: str) -> None:
        """These phones are on a call."""
        call = CallSnapshot("c", CallState.CONNECTED, "connected", conference=False, at=5)
        self.phones |= {each: LineSnapshot(each, "", "busy", False, (call,), 5) for each in extensions}

    async def lines(self, extensions: Sequence[str]) -> LinesRead:
        self._fail()
        self.asked.append(tuple(extensions))
        found = [self.phones[extension] for extension in extensions if extension in self.phones]
        return LinesRead(found, {name: error for name, error in self.unread.items() if name in extensions})

    async def subscribe(self, webhook_url: str) -> str:
        self._fail()
        self.made += 1
        self.subscribed[f"s{self.made}"] = webhook_url
        return f"s{self.made}"

    async def subscriptions(self) -> frozenset[str]:
        self._fail()
        return frozenset(self.subscribed)

    async def unsubscribe(self, subscription_id: str) -> None:
        self._fail()
        self.subscribed.pop(subscription_id, None)


class UnreadableRegistration:
    """Of an application that may not read it."""

    async def may_read(self) -> bool:
        return False

    async def may_rotate(self) -> bool:
        return False

    async def passwords(self) -> list[Password]:
        raise NotImplementedError

    async def add_password(self, name: str, expires_at: datetime) -> NewPassword:
        raise NotImplementedError

    async def remove_password(self, key_id: str) -> None:
        raise NotImplementedError


class FakeServiceClients:
    http: aiohttp.ClientSession

    def __init__(self) -> None:
        self.graph = FakeGraph()
        self.cloudlink = FakeCloudLink()

    def phones(self, account: CloudLinkAccount) -> FakeCloudLink:
        return self.cloudlink

    def fresh_phones(self, account: CloudLinkAccount) -> FakeCloudLink:
        return self.cloudlink

    def presence(self, app: TeamsApp) -> FakeGraph:
        return self.graph

    @asynccontextmanager
    async def directory(self, app: TeamsApp) -> AsyncIterator[FakeGraph]:
        yield self.graph

    @asynccontextmanager
    async def fresh_directory(self, app: TeamsApp) -> AsyncIterator[FakeGraph]:
        if self.graph.error:
            raise self.graph.error
        yield self.graph

    async def prove(self, app: TeamsApp) -> None:
        if self.graph.error:
            raise self.graph.error

    def registration(self, app: TeamsApp) -> Registration:
        """What it may not read; its changes are tested over the wire."""
        return UnreadableRegistration()

    async def post_to_own_webhook(self, url: str, sealed: str) -> tuple[int, bytes]:
        """Over the wire, by the session ``http``."""
        return await post_sealed(self.http, url, sealed)

    def forget(self, app: TeamsApp) -> None: ...


class FakeJobs:
    """Records deferred jobs and runs none; without ``others`` no other process does."""

    def __init__(self, *, others: bool = True) -> None:
        self.shared = self if others else None
        self.deferred: list[tuple[str, str, datetime | None]] = []
        self.taken_over: set[str] = set()

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        self.deferred.append((job, key, at))

    async def defer_all(self, names: Iterable[tuple[str, str]]) -> None:
        for job, key in names:
            await self.defer(job, key)

    async def queued(self, job: str) -> set[str]:
        return {key for name, key, _ in self.deferred if name == job}

    def held(self, transaction: Transaction, job: str, keys: Iterable[str]) -> set[str]:
        return set(keys) - self.taken_over

    def hand_over(self, transaction: Transaction, job: str, owners: Mapping[str, str]) -> None:
        self.deferred += [(job, key, None) for key in owners]

    def now(self) -> list[str]:
        """The jobs deferred with no start time."""
        return [job for job, _, at in self.deferred if at is None]


def context_of(
    database: Database,
    clients: ServiceClients | None = None,
    jobs: Jobs | None = None,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
) -> Context:
    """What a part of sync works with; fakes for what a test does not name."""
    clock = clock or FakeClock()
    return Context(
        database,
        clients or FakeServiceClients(),
        jobs or FakeJobs(),
        clock,
        Random(7),
        metrics or Metrics(CollectorRegistry()),
        clock,
    )
