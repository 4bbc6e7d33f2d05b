"""Downloads by people who do not read: on real sockets, beside others who want something of the same process."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from bot.cards.field_errors import Links
from bot.chat.bot_context import BotContext
from bot.chat.exports.download import DownloadLimits, Exports
from bot.chat.exports.files import CsvFile, ExportFile, HistoryFile
from bot.chat.exports.links import HISTORY, ExportLinks, ExportRequest
from bot.languages import Language, Texts, load_texts
from bot.roles.admins_setting import AdminsSetting
from core.clock import Sleep, utc_now
from core.http.server import listening
from core.metrics import Metrics
from core.turns import LONGEST_PAUSE
from storage.database import Database
from storage.encryption import Encryption
from storage.tables.history import HistoryEntry
from storage.tables.roles import Member
from sync.domain.roles import Role
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
from tests.support.captured_log import captured_log
from tests.support.eventually import eventually
from tests.support.slow_readers import SlowReader, ask_slowly
from tests.support.storage.stores import empty_store

BUSY, QUIET = "busy-tenant", "quiet-tenant"
ACTS = 1000
LONG = "x" * 4_000
"""All acts are more than the buffers of a connection hold."""

READERS = 25
"""More than the database's connections."""


@dataclass
class Served:
    """A store with the history of two tenants, and its downloads."""

    database: Database
    links: ExportLinks
    readers: ExitStack

    def link_of(self, tenant: str) -> str:
        return self.links.create(ExportRequest(tenant, "ada", Language.PORTUGUESE, ""), "")

    async def slow_reader(self) -> tuple[SlowReader, bytes]:
        """A reader of the busy tenant's file who has read its first line."""
        reader, line = await ask_slowly(self.link_of(BUSY))
        self.readers.callback(reader.close)
        return reader, line


@asynccontextmanager
async def serving(
    folder: Path, limits: DownloadLimits, sleep: Sleep = asyncio.sleep, file: ExportFile | None = None
) -> AsyncIterator[Served]:
    async with empty_store(folder) as database:
        await _fill(database)
        encryption, application = Encryption([Fernet.generate_key().decode()]), web.Application()
        context = BotContext(database, AdminsSetting(()), utc_now, load_texts(), Links())
        files = {HISTORY: file or HistoryFile(database)}
        exports = Exports(context, ExportLinks(encryption, utc_now), files, limits, sleep)
        application.router.add_get("/exports/{token}", exports.serve)
        async with listening(application, "127.0.0.1", 0) as port:
            with ExitStack() as readers:
                links = ExportLinks(encryption, utc_now, public_url=f"http://127.0.0.1:{port}")
                yield Served(database, links, readers)


async def _fill(database: Database) -> None:
    async with database.writing() as session:
        for tenant in (BUSY, QUIET):
            session.add(Member(owner_tenant=tenant, user_object_id="ada", role=Role.VIEWER, invited_at=utc_now()))
        session.add_all(_act(BUSY, str(number), LONG) for number in range(ACTS))
        session.add(_act(QUIET, "0", "Lisbon"))


def _act(tenant: str, actor: str, name: str) -> HistoryEntry:
    facts: dict[str, Any] = {"to": name}
    return HistoryEntry(
        owner_tenant=tenant,
        actor_id=actor,
        actor_name=actor,
        act="rename",
        result="done",
        facts=facts,
        at=utc_now(),
    )


async def is_ready(database: Database) -> bool:
    metrics = Metrics(CollectorRegistry())
    jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics))
    async with jobs.running():
        probe = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
        ready = await probe.ready()
        await probe.close()
    return ready


@pytest.mark.long
async def test_readers_that_read_nothing_stop_nobody(tmp_path: Path, each_database: str) -> None:
    async with serving(tmp_path, DownloadLimits(per_tenant=READERS)) as served:
        for _ in range(READERS):
            assert (await served.slow_reader())[1] == b"HTTP/1.1 200 OK"
        await eventually(lambda: is_ready(served.database))
        async with aiohttp.ClientSession() as http, http.get(served.link_of(QUIET)) as response:
            assert "Lisbon" in await response.text()


async def test_a_tenant_has_a_few_downloads_at_the_same_time(tmp_path: Path) -> None:
    async with serving(tmp_path, DownloadLimits()) as served, aiohttp.ClientSession() as http:

        async def status(tenant: str) -> int:
            async with http.get(served.link_of(tenant)) as response:
                return response.status

        async def is_free() -> bool:
            return await status(BUSY) == 200

        readers = [(await served.slow_reader())[0] for _ in range(DownloadLimits().per_tenant)]
        async with http.get(served.link_of(BUSY)) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "60")
            assert "Espere que um termine" in await response.text()
        assert await status(QUIET) == 200
        readers[0].close()
        await eventually(is_free)


class ThreeSlices(CsvFile):
    """A file that records when it is read; others can run meanwhile."""

    name = "three"

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    async def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        for number in range(3):
            self._happened.append("begins")
            await asyncio.sleep(0)
            self._happened.append("ends")
            yield str(number)


async def test_of_all_downloads_one_slice_is_read_at_a_time_and_a_pause_follows_it(tmp_path: Path) -> None:
    happened, pauses = list[str](), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)
        happened.append("paused")

    async with (
        serving(tmp_path, DownloadLimits(), sleep, ThreeSlices(happened)) as served,
        aiohttp.ClientSession() as http,
    ):

        async def download(tenant: str) -> str:
            async with http.get(served.link_of(tenant)) as response:
                return await response.text()

        assert await asyncio.gather(*map(download, (BUSY, QUIET, BUSY))) == ["012"] * 3
    assert happened.count("begins") == 9
    assert re.fullmatch("((begins ends )?paused ?)*", " ".join(happened))
    assert all(0 < seconds <= LONGEST_PAUSE for seconds in pauses)


async def test_a_download_has_a_time_limit_and_its_part_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    async with serving(tmp_path, DownloadLimits(seconds=0.5)) as served:
        with captured_log() as log:
            reader, _ = await served.slow_reader()
            await eventually(lambda: bool(log.lines("export_too_slow")))
            assert not (await reader.read_to_end()).endswith(b"\r\n0\r\n\r\n")
        assert LONG not in log.text
