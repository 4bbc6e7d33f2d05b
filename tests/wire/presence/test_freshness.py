"""How fresh presence is, and that the product knows it: webhooks that lead nowhere, lost events, and starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import socket
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import text

from app import serve
from settings import Settings
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.queries import integrations, polls
from sync.domain.model import Freshness
from tests.support.engines import KEY, QUICK, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL, answer_call
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.servers import TestServer
from tests.support.storage.stores import database_in, integration, person, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

RARELY_POLLED = replace(QUICK, poll=3600)
"""Only what must be polled immediately is polled within the test."""


@asynccontextmanager
async def bot(folder: Path, *, polled: bool = True) -> AsyncIterator[tuple[SandboxHandle, RunningEngine]]:
    intervals = QUICK if polled else RARELY_POLLED
    async with running_sandbox() as sandbox, running_engine(sandbox, folder, intervals=intervals) as running:
        yield sandbox, running


async def is_now(running: RunningEngine, freshness: Freshness) -> bool:
    return (await running.status()).freshness is freshness


async def test_a_webhook_address_that_leads_nowhere_is_not_called_live_and_everybody_is_polled(
    tmp_path: Path,
) -> None:
    async with bot(tmp_path) as (sandbox, running):
        await sandbox.set_faults(loseWebhooks=True)
        await running.connect(trusted=False)
        for extension in ("2001", "2002", "2003"):
            await answer_call(sandbox, extension)
        for extension in ("2001", "2002", "2003"):
            await running.wait_until_shown(extension, *IN_A_CALL)
        status = await running.status()
        assert (status.freshness, status.worst_age) == (Freshness.NO_EVENT, int(QUICK.poll))
        await sandbox.set_faults(loseWebhooks=False)
        await answer_call(sandbox, "2004")
        await eventually(lambda: is_now(running, Freshness.LIVE))
        assert (await running.status()).worst_age == 1


async def test_a_new_subscription_has_to_prove_itself_again(tmp_path: Path) -> None:
    async with bot(tmp_path) as (sandbox, running):
        view = await running.connect()
        assert await is_now(running, Freshness.LIVE)
        sandbox.world.saved.subscriptions.clear()
        await running.engine.jobs.defer("subscribe", view.id)
        await eventually(lambda: is_now(running, Freshness.NO_EVENT))


async def test_what_happened_before_a_new_subscription_is_polled_immediately(tmp_path: Path) -> None:
    async with bot(tmp_path, polled=False) as (sandbox, running):
        view = await running.connect()
        await running.wait_until_sent()
        sandbox.world.saved.subscriptions.clear()
        await answer_call(sandbox, "2001")
        await running.engine.jobs.defer("subscribe", view.id)
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_events_that_were_answered_with_503_are_made_up_for(tmp_path: Path) -> None:
    """The store is away; then CloudLink, which has given up, sends nothing any more."""
    async with bot(tmp_path, polled=False) as (sandbox, running):
        await running.connect()
        await running.wait_until_sent()
        await rename(running.database, "seenevent", "away")
        await answer_call(sandbox, "2001")
        await eventually(lambda: running.metric("webhooks_total", answer="not_stored") > 0)
        await sandbox.set_faults(loseWebhooks=True)
        await rename(running.database, "away", "seenevent")
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_after_an_outage_of_cloudlink_everybody_is_polled(tmp_path: Path) -> None:
    async with bot(tmp_path, polled=False) as (sandbox, running):
        view = await running.connect()
        await running.wait_until_sent()
        await sandbox.set_faults(cloudlinkOutage=True, loseWebhooks=True)
        await running.engine.jobs.defer("match", view.id)
        await eventually(lambda: has_problem(running))
        await answer_call(sandbox, "2001")
        await sandbox.set_faults(cloudlinkOutage=False)
        await running.engine.jobs.defer("match", view.id)
        await running.wait_until_shown("2001", *IN_A_CALL)


async def has_problem(running: RunningEngine) -> bool:
    return any(health.error for health in (await running.status()).service_health)


async def test_it_listens_before_it_polls(tmp_path: Path) -> None:
    """An event that arrives between the first poll and the listening socket would be missed."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    is_listening: list[bool] = []

    async def asked(_request: web.Request) -> web.Response:
        is_listening.append(await answers(port))
        return web.Response(status=503)

    cloudlink = web.Application()
    cloudlink.router.add_route("*", "/{anything:.*}", asked)
    url = database_in(tmp_path)
    async with open_database(url) as database, TestServer(cloudlink) as server:
        row = with_secrets(integration(), Encryption([KEY]), cloudlink_secret_sealed="s")
        await stored(database, row, person())
        settings = Settings(
            _env_file=None,
            port=port,
            operations_port=0,
            data_dir=tmp_path,
            database_url=url,
            secret_keys=(KEY,),
            public_url="https://bot.example",
            cloudlink_url=str(server.make_url("/{service}")).replace("%7B", "{").replace("%7D", "}"),
            bot_app_id=str(UUID(int=1)),
            bot_app_type="UserAssignedMSI",
            bot_tenant_id=str(UUID(int=2)),
        )
        serving = asyncio.create_task(serve(settings))
        try:
            await eventually(lambda: bool(is_listening))
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    assert is_listening[0]


async def answers(port: int) -> bool:
    """Read to the end: a server that stops may lose sight of a connection that it has just accepted."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    with closing(writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
    await writer.wait_closed()
    return answer.startswith(b"HTTP/1")


async def rename(database: Database, table: str, name: str) -> None:
    async with database.writing() as session:
        await session.exec(text(f"ALTER TABLE {table} RENAME TO {name}"))  # type: ignore[call-overload]


async def test_gaps_of_enabled_integrations_begin_with_the_first_and_end_a_round_of_polls(tmp_path: Path) -> None:
    """Restarts while CloudLink is away: the time in which polls are to confirm what is shown becomes no longer."""
    now, ahead = integration().created_at, {"catch_up_since": integration().created_at + timedelta(hours=1)}
    async with open_database(database_in(tmp_path)) as database:
        await stored(
            database, integration(), integration(id="ahead", **ahead), integration(id="off", enabled=False)
        )
        for minutes in (0, 9):
            async with database.writing() as session:
                await polls.begin(session, "i1", [["2001"]], now, whole=True)
                marked = await integrations.mark_gap(session, now + timedelta(minutes=minutes))
                assert sorted(marked) == ["ahead", "i1"]
        async with database.session() as session:
            assert await polls.next_chunk(session, "i1") is None
        since = {name: (await read_integration(database, name)).catch_up_since for name in ("i1", "ahead", "off")}
        assert since == {"i1": now, "ahead": now, "off": None}
