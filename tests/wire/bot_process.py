"""The product's bot side, whole: signed requests in, cards out. Its scheduler is off: nothing happens by itself."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlmodel import SQLModel

from bot.activity import Card
from bot.application import public_application
from bot.cards.field_errors import Links
from bot.chat.context import Command, Services
from bot.chat.exports.certificate_file import CertificateFile
from bot.chat.exports.download import Exports
from bot.chat.exports.files import export_files
from bot.chat.exports.links import ExportLinks
from bot.chat.exports.monitor_secret import MonitorSecretPage
from bot.chat.imports.download import FileDownload
from bot.chat.preview_cache import PreviewCache
from bot.commands import COMMANDS
from bot.hosting import AppType, HostingConfig, open_host
from bot.languages import load_texts
from bot.pipeline import Pipeline
from bot.proactive.notifier import Notifier
from bot.roles.admins_setting import AdminsSetting
from core.clock import utc_now
from core.http.server import listening
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.schema import migrate
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.monitoring.routes import operations_routes
from sync.problems.clock_skew import ClockSkewMonitor
from sync.scheduling.scheduler import Intervals
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.chat import unlimited
from tests.support.bot.fakes import parts
from tests.support.engines import KEY
from tests.support.services.connectors import BotEntra, Connector, open_bot_entra, open_connector
from tests.support.services.issuers import Issuer, open_issuer
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

APP_ID = "11111111-2222-3333-4444-555555555555"
UNHURRIED = 60.0
"""Seconds a turn may take: its card is the answer of its request, however busy the machine is."""

AT_REST = Intervals(**{interval.name: 1e9 for interval in fields(Intervals)} | {"tick": 0.02})


@dataclass(frozen=True, slots=True)
class Person:
    """A sender, as Teams identifies them: ``tenant`` is the conversation's."""

    tenant: str
    object_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one request: every card sent or updated, the invoke's response last."""

    status: int
    cards: tuple[Card, ...]

    @property
    def answer(self) -> Card:
        return self.cards[-1]


@dataclass
class Surroundings:
    """The product's surroundings: Teams with its issuer and connector, and the sandbox."""

    sandbox: SandboxHandle
    issuer: Issuer
    connector: Connector
    entra: BotEntra
    http: aiohttp.ClientSession


@asynccontextmanager
async def open_surroundings(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Surroundings]:
    """The bot has a managed identity there."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox())
        issuer = await stack.enter_async_context(open_issuer())
        connector = await stack.enter_async_context(open_connector())
        entra = await stack.enter_async_context(open_bot_entra())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield Surroundings(sandbox, issuer, connector, entra, http)


@dataclass
class BotProcess:
    """One process. Every request has its own conversation, which separates its responses from others'.

    ``files`` are the names of the files to download, ``pages`` the methods and paths that need a link.
    """

    surroundings: Surroundings
    url: str
    operations_url: str
    database: Database
    engine: Engine
    notifier: Notifier
    encryption: Encryption
    files: Collection[str]
    pages: Collection[tuple[str, str]]
    numbers: "count[int]" = field(default_factory=count)

    async def say(self, who: Person, words: str, **changed: Any) -> Reply:
        return await self._post(self._activity(who, "message", text=words, **changed))

    async def press(
        self, who: Person, verb: str, data: Mapping[str, Any], *, form: str = "execute", card_id: str = "card"
    ) -> Reply:
        """As today's clients press (``execute``), or older ones (``submit``)."""
        if form == "submit":
            sent = {**data, "verb": verb}
            return await self._post(self._activity(who, "message", value=sent, replyToId=card_id))
        sent = {"action": {"type": "Action.Execute", "verb": verb, "data": dict(data)}}
        named = {"name": "adaptiveCard/action", "value": sent, "replyToId": card_id}
        return await self._post(self._activity(who, "invoke", **named))

    def _activity(self, who: Person, kind: str, **changed: Any) -> dict[str, Any]:
        number = next(self.numbers)
        return {
            "type": kind,
            "id": f"activity-{number}",
            "channelId": "msteams",
            "serviceUrl": self.surroundings.connector.url,
            "from": {"id": f"29:{who.object_id}", "name": who.name, "aadObjectId": who.object_id},
            "recipient": {"id": "28:bot", "name": "Bot"},
            "conversation": {
                "id": f"a:{id(self)}-{number}",
                "conversationType": "personal",
                "tenantId": who.tenant,
            },
            "channelData": {"tenant": {"id": who.tenant}},
            "locale": "en-US",
            **changed,
        }

    @cached_property
    def _token(self) -> str:
        """Valid for an hour: to sign one takes longer than to verify it."""
        return self.surroundings.issuer.token(APP_ID, self.surroundings.connector.url, utc_now())

    async def _post(self, activity: dict[str, Any]) -> Reply:
        headers, before = {"Authorization": f"Bearer {self._token}"}, len(self.surroundings.connector.calls)
        async with self.surroundings.http.post(
            f"{self.url}/api/messages", json=activity, headers=headers
        ) as answer:
            body = await answer.json() if answer.content_type == "application/json" else None
        here = f"/{quote(activity['conversation']['id'])}/"
        cards = [call.card for call in self.surroundings.connector.calls[before:] if here in call.path]
        if body and isinstance(body.get("value"), dict) and "body" in body["value"]:
            cards.append(body["value"])
        return Reply(answer.status, tuple(cards))


@asynccontextmanager
async def open_bot_process(
    surroundings: Surroundings,
    database_url: str,
    admins: tuple[str, ...],
    tenants: tuple[str, ...],
    *,
    host: HostCredentials | None = None,
    commands: Sequence[Command] = COMMANDS,
) -> AsyncIterator[BotProcess]:
    """A process on the store at ``database_url``; any number of them may share it."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(database_url))
        await migrate(database)
        registry, encryption, access = CollectorRegistry(), Encryption([KEY]), AdminsSetting(admins)
        metrics = Metrics(registry)
        jobs = LocalJobs(QueueConfig(utc_now, Random(7), metrics, AT_REST.tick))
        config = EngineConfig(
            surroundings.sandbox.url,
            surroundings.sandbox.url,
            surroundings.sandbox.cloudlink_url,
            "",
            1500,
            intervals=AT_REST,
            initial_version=1,
            host=host or HostCredentials(),
        )
        engine = await stack.enter_async_context(
            open_engine(
                config,
                database,
                encryption,
                surroundings.http,
                utc_now,
                Random(7),
                metrics,
                jobs,
                ClockSkewMonitor(utc_now),
            )
        )
        services = Services(
            database=database,
            encryption=encryption,
            operations=engine,
            access=access,
            clock=utc_now,
            languages=load_texts(),
            links=Links(),
            previews=PreviewCache(utc_now),
            export_links=ExportLinks(encryption, utc_now, own_url="http://127.0.0.1"),
            files=FileDownload(surroundings.http, allows_loopback=True),
            commands=commands,
            process="the only one" if database.is_sqlite else uuid4().hex,
        )
        pipeline = Pipeline(services, metrics, unlimited)
        hosting = HostingConfig(
            app_id=APP_ID,
            app_type=AppType.USER_ASSIGNED_MSI,
            allowed_tenants=tenants,
            openid_metadata_url=surroundings.issuer.metadata_url,
            entra_url=surroundings.entra.url,
            allowed_service_hosts=("127.0.0.1",),
        )
        chat_host = await stack.enter_async_context(
            open_host(hosting, pipeline, surroundings.http, utc_now, metrics, answer_seconds=UNHURRIED)
        )
        files = export_files(services, {})
        exports = Exports(services, services.export_links, files)
        public = public_application(
            chat_host, engine, exports, CertificateFile(services), MonitorSecretPage(services)
        )
        operations = web.Application()
        operations.add_routes(operations_routes(engine.readiness, registry))
        url, operations_url = [
            f"http://127.0.0.1:{await stack.enter_async_context(listening(each, '127.0.0.1', 0))}"
            for each in (public, operations)
        ]
        notifier = Notifier(services, chat_host.messenger, Random(7))
        await engine.start()
        yield BotProcess(
            surroundings,
            url,
            operations_url,
            database,
            engine,
            notifier,
            encryption,
            [*files],
            linked_pages(public),
        )


def linked_pages(application: web.Application) -> list[tuple[str, str]]:
    """Of each page under */exports* the method, and the path up to the link's token."""
    routes = [(each.method, each.resource.canonical) for each in application.router.routes() if each.resource]
    return [
        (method, path.removesuffix("{token}"))
        for method, path in routes
        if path.startswith("/exports/") and method != "HEAD"
    ]


def sqlite_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'presence.db'}"


async def all_rows(database: Database, but: Collection[str] = ()) -> list[tuple[str, dict[str, Any]]]:
    """Every row of every table, as it is stored, except those of tables named in ``but``."""
    rows: list[tuple[str, dict[str, Any]]] = []
    async with database.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            if table.name in but:
                continue
            found = await connection.execute(text(f'SELECT * FROM "{table.name}"'))  # noqa: S608
            rows += [(table.name, dict(row)) for row in found.mappings()]
    return sorted(rows, key=repr)


def pressable(card: Card) -> list[tuple[str, dict[str, Any]]]:
    """What each button of a card sends: with nothing typed, and with each choice (both ends of a long list)."""
    fields = {part["id"]: _enterable(part) for part in parts(card) if part["type"].startswith("Input.")}
    found = []
    for part in parts(card):
        if part["type"] == "Action.Execute":
            taken = fields if part.get("associatedInputs") != "none" else {}
            found += [(part["verb"], {**entered, **part.get("data", {})}) for entered in _entries(taken)]
    return found


def _enterable(part: Mapping[str, Any]) -> list[str]:
    choices = [choice["value"] for choice in part.get("choices", [])]
    if choices:
        some = choices if len(choices) <= 10 else [choices[0], choices[-1]]
        return [",".join(choices)] if part.get("isMultiSelect") else some
    return [str(part.get("value") or "typed")]


def _entries(fields: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """The first value of each field, and each of the others once."""
    first = {name: values[0] for name, values in fields.items()}
    return [first, *({**first, name: value} for name, values in fields.items() for value in values[1:])]
