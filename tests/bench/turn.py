"""What a turn costs the processor, from Teams' POST until its card is posted, against a turn of an echo bot.

The echo bot is botbuilder's own sample. A bare one on this program's hosting, which keeps its connections to Teams,
says what is left to the commands. All are in this process and are measured in turns; Teams is a process of its own.
Readers are administrators by a stored role, and have spoken within a minute.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import aiohttp
from aiohttp import web
from botbuilder.core import ActivityHandler, MessageFactory, TurnContext
from botbuilder.integration.aiohttp import CloudAdapter, ConfigurationBotFrameworkAuthentication
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from app import open_applications
from bot.activity import Message, Turn
from bot.hosting import HostingConfig, open_host
from bot.languages import Language, load_texts
from core.clock import utc_now
from core.metrics import Metrics
from settings import Settings
from storage.database import open_database
from storage.encryption import Encryption
from storage.tables.effects import DelayCount, HourFigure, ReadBackRun
from storage.tables.roles import ADMINISTRATOR, Member
from sync.domain.reports import Figure
from sync.presence.delays import hour_of, slot_of
from tests.bench.change import Measured
from tests.bench.product import Setup, fill, running_peer
from tests.support.services.servers import serving
from tests.support.storage.stores import sqlite_with_tables, stored

READERS = 20
"""Each speaks once in a turn of the measurement: a person, and a conversation, may have so many turns in a time."""

TURNS = 4

TEXTS = load_texts()[Language.ENGLISH]
TITLES = {"help": TEXTS("help.title"), "status": TEXTS("status.enabled")}


class NoCredentials:
    """botbuilder's configuration of a bot on this machine."""

    APP_ID = APP_PASSWORD = ""
    APP_TYPE = "MultiTenant"


@dataclass(slots=True)
class Turns(Measured):
    """``bare`` is an echo on this program's hosting."""

    bare: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{Measured.__str__(self)}; a bare echo {median(self.bare):.2f} ms"


async def against_an_echo(folder: Path, words: str) -> Turns:
    """Milliseconds of processor for a turn of ``words``."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        teams = await stack.enter_async_context(running_peer(http))
        product = await stack.enter_async_context(_product(folder, teams))
        echo = await stack.enter_async_context(serving(_messages(_sample())))
        bare = await stack.enter_async_context(_bare(http))
        measured = Turns([], [])
        for turn in range(-2, TURNS):
            for url, took in ((product, measured.one), (echo, measured.other), (bare, measured.bare)):
                began = process_time()
                talk = {"url": f"{url}/api/messages", "text": "help" if turn == -2 else words, "people": READERS}
                async with http.post(f"{teams}/talk", json=talk, raise_for_status=True) as response:
                    posted = await response.json()
                if turn >= 0:
                    took.append(1000 * (process_time() - began) / READERS)
                    assert posted == READERS * [TITLES[words] if url == product else words]
        return measured


@asynccontextmanager
async def _product(folder: Path, services: str) -> AsyncIterator[str]:
    """The whole program but for what it does by itself: that is another row's."""
    key = Fernet.generate_key().decode()
    await _fill(sqlite_with_tables(folder), Encryption([key]))
    settings = Settings(
        _env_file=None,
        data_dir=folder,
        secret_keys=key,
        entra_url=services,
        graph_url=services,
        dangerously_allow_unauthenticated=True,
    )
    async with open_applications(settings) as served:
        assert served.public
        async with serving(served.public) as url:
            yield url


async def _fill(url: str, encryption: Encryption) -> None:
    """An integration that showed calls all day, and the readers' roles."""
    now = utc_now()
    async with open_database(url) as database:
        await fill(database, encryption, Setup())
        hours = [hour_of(now - timedelta(hours=hour)) for hour in range(24)]
        await stored(
            database,
            *(HourFigure(integration_id="i1", hour=hour, name=Figure.SHOWN, count=40) for hour in hours),
            *(DelayCount(integration_id="i1", slot=slot_of(now), bucket=bucket, changes=9) for bucket in range(5)),
            ReadBackRun(integration_id="i1", asked_at=now, read_at=now),
            *(
                Member(owner_tenant="t1", user_object_id=f"reader-{number}", role=ADMINISTRATOR, invited_at=now)
                for number in range(READERS)
            ),
        )


def _messages(handler: Any) -> web.Application:
    application = web.Application()
    application.router.add_post("/api/messages", handler)
    return application


def _sample() -> Any:
    """Answers Teams' requests as botbuilder's sample *echo bot* does."""
    adapter = CloudAdapter(ConfigurationBotFrameworkAuthentication(NoCredentials()))

    class Echo(ActivityHandler):  # type: ignore[misc]
        async def on_message_activity(self, turn_context: TurnContext) -> None:
            await turn_context.send_activity(MessageFactory.text(turn_context.activity.text))

    bot = Echo()

    async def messages(request: web.Request) -> web.Response:
        answer: web.Response = await adapter.process(request, bot)
        return answer

    return messages


@asynccontextmanager
async def _bare(http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """The address of a bot that posts what is typed, on a card of one line."""
    config = HostingConfig(dangerously_allow_unauthenticated=True)
    async with (
        open_host(config, _repeat, http, utc_now, Metrics(CollectorRegistry())) as host,
        serving(_messages(host.messages)) as url,
    ):
        yield url


async def _repeat(turn: Turn) -> None:
    event = turn.incoming.event
    text = event.text if isinstance(event, Message) else ""
    line = {"type": "TextBlock", "text": text}
    await turn.send({"type": "AdaptiveCard", "version": "1.5", "body": [line]}, text)
