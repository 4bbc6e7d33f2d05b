"""The product gets SIGTERM with work in flight: that work is finished, the rest stays in the store."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from sqlmodel import SQLModel, select

from sandbox.cloudlink.webhooks import notification
from sandbox.demo import administrator, bot_service, free_port
from sandbox.processes import RunningService
from storage.database import open_database
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Call, Person
from tests.chaos.gate import Gate, running_gate
from tests.chaos.workers import store_integration
from tests.support.engines import KEY, running_engine
from tests.support.eventually import eventually
from tests.support.forks import fork
from tests.support.presence import IN_A_CALL
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.services.servers import TestServer
from tests.support.storage.postgres import fresh_database

Row = TypeVar("Row", bound=SQLModel)
PRESENCE = "/".join(IN_A_CALL)
START_SECONDS = 60.0
HANG_SECONDS = 60.0
"""A limit, not a measurement: a process still running by then hangs."""


@dataclass(frozen=True)
class Product:
    """``app.py`` in a separate process."""

    running: RunningService
    url: str

    async def terminate(self) -> None:
        self.running.process.send_signal(signal.SIGTERM)
        await eventually(self._is_stopping)

    async def _is_stopping(self) -> bool:
        return "stopping" in self.running.log.read_text()

    async def ended(self) -> int:
        """Its exit code; how long it took is printed (``pytest -s``)."""
        began = perf_counter()
        code = await asyncio.wait_for(self.running.process.wait(), HANG_SECONDS)
        print(f"\nended {perf_counter() - began:.1f} s after SIGTERM")
        return code


@asynccontextmanager
async def product(
    sandbox: SandboxHandle, graph_url: str, folder: Path, *role: str, database_url: str = ""
) -> AsyncIterator[Product]:
    """Runs on the store in ``folder``, or another; killed at the end unless the test ended it."""
    service = bot_service(free_port(0), sandbox.url, folder)
    settings = {"GRAPH_URL": graph_url, "SECRET_KEYS": KEY, "DATABASE_URL": database_url}
    if "worker" in role:
        settings |= {"PORT": "0", "OPERATIONS_PORT": str(service.port)}
    changed = replace(service, command=(*service.command, *role), environment={**service.environment, **settings})
    running = await fork(changed, folder)
    try:
        yield Product(running, await running.wait_ready(START_SECONDS))
    finally:
        await running.stop()


async def rows(store: Path | str, table: type[Row]) -> list[Row]:
    """All of a table's, in a folder's store or at a database's address."""
    url = store if isinstance(store, str) else f"sqlite+aiosqlite:///{store / 'presence.db'}"
    async with open_database(url) as database, database.session() as session:
        return list((await session.exec(select(table))).all())


async def stored_person(store: Path | str, extension: str) -> Person:
    (person,) = [person for person in await rows(store, Person) if person.extension == extension]
    return person


async def cleared(sandbox: SandboxHandle) -> list[str]:
    """The people whose presence Graph was asked to clear."""
    return [entry for entry in map(json.dumps, await sandbox.log()) if "clearPresence" in entry]


async def test_a_slow_response_of_graph_is_awaited_and_stored(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, running_gate(sandbox) as (gate, graph_url):
        await store_integration(sandbox, tmp_path)
        await sandbox.call("2001")
        gate.closed = True
        async with product(sandbox, graph_url, tmp_path) as running:
            await eventually(lambda: is_held(gate))
            await running.terminate()
            gate.open()
            assert await running.ended() == 0
        person = await stored_person(tmp_path, "2001")
        assert (person.desired, person.applied) == (PRESENCE, PRESENCE)
        assert await sandbox.shown("2001") == IN_A_CALL


async def test_one_of_several_workers_waits_for_it_too(tmp_path: Path) -> None:
    with fresh_database() as url:
        async with running_sandbox() as sandbox, running_gate(sandbox) as (gate, graph_url):
            async with running_engine(sandbox, tmp_path, webhooks=False, url=url) as engine:
                await engine.connect()
                await engine.wait_until_sent()
            await sandbox.call("2001")
            gate.closed = True
            async with product(sandbox, graph_url, tmp_path, "worker", database_url=url) as running:
                await eventually(lambda: is_held(gate))
                await running.terminate()
                gate.open()
                assert await running.ended() == 0
            person = await stored_person(url, "2001")
            assert (person.desired, person.applied) == (PRESENCE, PRESENCE)


async def is_held(gate: Gate) -> bool:
    return gate.held > 0


async def is_applied(folder: Path, extension: str, presence: str) -> bool:
    return (await stored_person(folder, extension)).applied == presence


@dataclass
class Event:
    """A CloudLink event; ``sent`` is set once the product has begun to read it and nothing is withheld."""

    url: str
    body: bytes
    sent: asyncio.Event = field(default_factory=asyncio.Event)

    async def parts(self) -> AsyncIterator[bytes]:
        yield self.body
        self.sent.set()

    async def post(self, http: aiohttp.ClientSession) -> int:
        headers = {"Content-Type": "application/json"}
        async with http.post(self.url, data=self.parts(), headers=headers, expect100=True) as response:
            return response.status


@contextmanager
def database_locked(folder: Path) -> Iterator[None]:
    """Another process holds the database's lock for the length of the block."""
    with closing(sqlite3.connect(folder / "presence.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


async def event_of_a_call(sandbox: SandboxHandle, extension: str) -> Event:
    """A call starts; CloudLink does not post it by itself."""
    await sandbox.set_faults(loseWebhooks=True)
    await sandbox.call(extension)
    person = sandbox.world.person(extension)
    assert person is not None
    (subscription,) = sandbox.world.saved.subscriptions.values()
    body = notification(sandbox.world, person, person.devices[0], person.phone.calls[-1])
    body |= {"subscription": {"subscriptionId": subscription.id}}
    return Event(subscription.url, json.dumps(body).encode())


async def is_subscribed(sandbox: SandboxHandle, folder: Path, url: str) -> bool:
    """Whether this process has stored its subscription: the one of an earlier process leads nowhere."""
    theirs = [each.id for each in sandbox.world.saved.subscriptions.values() if each.url.startswith(url)]
    return [row.subscription_id for row in await rows(folder, Integration)] == theirs


async def test_a_webhook_in_flight_is_stored(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        await store_integration(sandbox, tmp_path)
        async with product(sandbox, sandbox.url, tmp_path) as running:
            await eventually(lambda: is_subscribed(sandbox, tmp_path, running.url))
            event = await event_of_a_call(sandbox, "2001")
            with database_locked(tmp_path):
                posting = asyncio.create_task(event.post(http))
                await asyncio.wait_for(event.sent.wait(), 30)
                await running.terminate()
            assert await posting == 202
            assert await running.ended() == 0
        person = await stored_person(tmp_path, "2001")
        assert [call.person_id for call in await rows(tmp_path, Call)] == [person.id]
        assert person.desired == PRESENCE


@dataclass
class SlowTeams:
    """Plays ``serviceUrl`` and responds slowly."""

    received: list[dict[str, Any]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        await self.go_on.wait()
        return web.json_response({"id": f"sent-{len(self.received)}"}, status=201)

    async def has_received(self) -> bool:
        return bool(self.received)


@asynccontextmanager
async def slow_teams() -> AsyncIterator[tuple[SlowTeams, str]]:
    teams = SlowTeams()
    application = web.Application()
    application.router.add_post("/v3/conversations/{conversation}/activities", teams.take)
    application.router.add_post("/v3/conversations/{conversation}/activities/{activity}", teams.take)
    async with TestServer(application, host="127.0.0.1") as server:
        try:
            yield teams, str(server.make_url("")).rstrip("/")
        finally:
            teams.go_on.set()


def message_to_the_bot(text: str, service_url: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "activity-1",
        "text": text,
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": {"id": "29:ana", "name": "Ana", "aadObjectId": administrator()},
        "recipient": {"id": "28:bot", "name": "Bot"},
        "conversation": {"id": "a:chat;1", "conversationType": "personal", "tenantId": "tenant-1"},
        "channelData": {"tenant": {"id": "tenant-1"}},
        "locale": "en-GB",
    }


async def status_of_post(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> int:
    async with http.post(url, json=body) as response:
        return response.status


async def test_a_turn_in_flight_is_answered(tmp_path: Path) -> None:
    async with (
        running_sandbox() as sandbox,
        slow_teams() as (teams, service_url),
        aiohttp.ClientSession() as http,
        product(sandbox, sandbox.url, tmp_path) as running,
    ):
        message = message_to_the_bot("help", service_url)
        asking = asyncio.create_task(status_of_post(http, f"{running.url}/api/messages", message))
        await eventually(teams.has_received)
        await running.terminate()
        teams.go_on.set()
        assert await asking == 200
        assert await running.ended() == 0
        assert [activity["type"] for activity in teams.received] == ["message"]


async def test_work_that_never_ends_is_left_to_the_next_start_and_nothing_is_cleared(tmp_path: Path) -> None:
    """A turn and a response of Graph hang at the same time: both together are awaited no longer than one."""
    async with (
        running_sandbox() as sandbox,
        running_gate(sandbox) as (gate, graph_url),
        slow_teams() as (teams, service_url),
        aiohttp.ClientSession() as http,
    ):
        await store_integration(sandbox, tmp_path)
        await sandbox.call("2001")
        gate.closed = True
        async with product(sandbox, graph_url, tmp_path) as running:
            await eventually(lambda: is_held(gate))
            message = message_to_the_bot("help", service_url)
            asking = asyncio.create_task(status_of_post(http, f"{running.url}/api/messages", message))
            await eventually(teams.has_received)
            await running.terminate()
            assert await running.ended() == 0
            await asyncio.gather(asking, return_exceptions=True)
        person = await stored_person(tmp_path, "2001")
        assert (person.desired, person.applied) == (PRESENCE, UNSURE)
        async with product(sandbox, sandbox.url, tmp_path) as running:
            await eventually(lambda: is_applied(tmp_path, "2001", PRESENCE))
            await running.terminate()
            assert await running.ended() == 0
        assert await sandbox.shown("2001") == IN_A_CALL
        assert await cleared(sandbox) == []
