"""A chat through the real pipeline on a real SQLite file; only the external services are fakes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from bot.activity import Action, Card, Event, Message
from bot.cards.field_errors import Links
from bot.chat.context import Middleware, Proceed, Services, TurnContext
from bot.chat.exports.links import ExportLinks
from bot.chat.preview_cache import PreviewCache
from bot.commands import COMMANDS
from bot.languages import language_of, load_texts
from bot.pipeline import Pipeline
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.encryption import Encryption
from sync.operations import Operations
from tests.support.bot.fake_credentials import FakeCredentials
from tests.support.bot.fake_operations import fake_operations
from tests.support.bot.fake_updates import FakeUpdates
from tests.support.bot.fakes import ADMIN, TENANT, FakeIntegrations, RecordingTurn, SentFiles, incoming, press
from tests.support.storage.stores import sqlite_with_tables

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = Fernet.generate_key().decode()
FILE = "chat.sqlite"


def services_for(
    database: Database, operations: Operations, access: AdminsSetting, clock: Clock, encryption: Encryption
) -> Services:
    """What commands work with, over a real database."""
    return Services(
        database=database,
        encryption=encryption,
        operations=operations,
        access=access,
        clock=clock,
        languages=load_texts(),
        links=Links(),
        previews=PreviewCache(clock),
        export_links=ExportLinks(encryption, clock),
        files=SentFiles(),
        commands=COMMANDS,
    )


async def unlimited(_: TurnContext, proceed: Proceed) -> None:
    """In place of ``CrowdLimit``, in tests in which one person says more than people do."""
    await proceed()


@dataclass
class Chat:
    """Sends as one person; keeps every card that was shown."""

    database: Database
    path: Path
    now: datetime = NOW
    person: str = ADMIN
    tenant: str = TENANT
    locale: str = "en-US"
    zone: str = ""
    personal: bool = True
    principal_name: str = ""
    admins: tuple[str, ...] = (ADMIN,)
    key: str = KEY
    export_links: ExportLinks | None = None
    crowd_limit: Middleware = unlimited
    shown: list[Card] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.integrations = FakeIntegrations(self.clock)
        self.updates = FakeUpdates()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.credentials = FakeCredentials(self.integrations)
        self.operations = fake_operations(self.integrations, self.credentials, self.updates)
        self.restart()

    def clock(self) -> datetime:
        return self.now

    def restart(self) -> None:
        """A new process on the same database: only what was stored is kept."""
        self.services = services_for(
            self.database,
            self.operations,
            AdminsSetting(self.admins, TENANT),
            self.clock,
            Encryption([self.key]),
        )
        if self.export_links:
            self.services = replace(self.services, export_links=self.export_links)
        self.pipeline = Pipeline(self.services, self.metrics, self.crowd_limit, new_reference=lambda: "ref-1")

    def context(self, event: Event) -> TurnContext:
        """A turn about ``event``, for a middleware on its own."""
        turn = self.new_turn(event)
        return TurnContext(turn, self.services, self.services.languages[language_of(self.locale)])

    async def turn(self, event: Event) -> RecordingTurn:
        turn = self.new_turn(event)
        await self.pipeline(turn)
        self.shown.extend(turn.cards)
        return turn

    def new_turn(self, event: Event) -> RecordingTurn:
        arrived = incoming(
            event, person=self.person, tenant=self.tenant, locale=self.locale, personal=self.personal
        )
        return RecordingTurn(replace(arrived, time_zone=self.zone), self.principal_name)

    async def say(self, text: str) -> Card:
        return (await self.turn(Message(text))).answer

    async def press(self, card: Card, verb: str, typed: Mapping[str, str] | None = None) -> Card:
        """Press a button of ``card``; returns the card shown in its place."""
        return (await self.turn(press(card, verb, typed))).answer

    async def turn_of_press(self, card: Card, verb: str, typed: Mapping[str, str] | None = None) -> RecordingTurn:
        """Press a button of ``card``; returns the turn with all its cards."""
        return await self.turn(press(card, verb, typed))

    async def act(self, verb: str, **data: str) -> Card:
        """An action that no card offered, as an attacker would send it."""
        return (await self.turn(Action(verb, data, "card-x"))).answer

    def stored_bytes(self) -> bytes:
        """Everything on disk: the database and its write-ahead log."""
        return b"".join(path.read_bytes() for path in self.path.parent.iterdir())


_welcomed: list[bytes] = []


@asynccontextmanager
async def open_chat(folder: Path) -> AsyncIterator[Chat]:
    async with open_database(sqlite_with_tables(folder, FILE)) as database:
        yield Chat(database, folder / FILE)


@asynccontextmanager
async def open_welcomed_chat(folder: Path) -> AsyncIterator[Chat]:
    """A chat whose person said hello before: once in a test process; the others begin with a copy of its file."""
    path = folder / FILE
    if not _welcomed:
        async with open_chat(folder) as first:
            await first.say("hello")
        _welcomed.append(path.read_bytes())
    path.write_bytes(_welcomed[0])
    async with open_chat(folder) as opened:
        yield opened
