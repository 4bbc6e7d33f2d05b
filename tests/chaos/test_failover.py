"""One web process, two workers, one PostgreSQL: a worker is killed during its work, and another takes over.

Real processes, killed with SIGKILL. The worker to be killed has Graph's answer withheld, so that it is certain
which of the two had the work; the other must finish it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from sqlmodel import select

from core.clock import utc_now
from sandbox.demo import free_port
from sandbox.processes import RunningService, Service
from storage.database import open_database
from storage.queries import integrations
from storage.queries.chat import conversations
from storage.queries.health.notices import State
from storage.tables.notices import Notice
from tests.chaos.gate import Gate, running_gate
from tests.chaos.workers import presence_matches_phones
from tests.support.engines import KEY, TENANT, running_engine
from tests.support.eventually import eventually
from tests.support.forks import fork
from tests.support.services.connectors import Connector, open_connector
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.postgres import fresh_database
from tests.support.tools import ROOT

ADMIN = "7f3b2a10-0000-4000-8000-000000000001"
EXTENSIONS = [f"20{number:02}" for number in range(1, 19)]
QUOTA = 30
"""Requests per 30 s: little, so that a worker taking over must know what was spent before."""


@dataclass
class Cluster:
    """The processes that share a database; each worker reaches Graph through a gate of its own."""

    sandbox: SandboxHandle
    database_url: str
    folder: Path
    stack: AsyncExitStack
    running: dict[str, RunningService] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    web_url: str = ""

    async def start(self, name: str, role: str) -> None:
        gate, graph_url = await self.stack.enter_async_context(running_gate(self.sandbox))
        port = free_port(0)
        if role == "web":
            self.web_url = f"http://127.0.0.1:{port}"
        environment = {
            "HOST": "127.0.0.1",
            **({"PORT": str(port), "OPERATIONS_PORT": "0"} if role == "web" else {"OPERATIONS_PORT": str(port)}),
            "PUBLIC_URL": self.web_url,
            "DATABASE_URL": self.database_url,
            "DATA_DIR": str(self.folder / name),
            "SECRET_KEYS": KEY,
            "ENTRA_URL": self.sandbox.url,
            "GRAPH_URL": graph_url,
            "CLOUDLINK_URL": self.sandbox.cloudlink_url,
            "PRESENCE_QUOTA": str(QUOTA),
            "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true",
            "ADMINS": ADMIN,
            "NO_PROXY": "*",
        }
        service = Service(name, (sys.executable, str(ROOT / "app.py"), role), port, "/healthz", environment, ROOT)
        process = await fork(service, self.folder)
        self.running[name], self.gates[name] = process, gate
        self.stack.push_async_callback(process.stop)
        await process.wait_ready(60)

    async def kill(self, name: str) -> None:
        """Like a power cut."""
        process = self.running[name].process
        process.kill()
        await process.wait()

    def holding(self) -> list[str]:
        """The workers whose request Graph has accepted and whose response is withheld."""
        return [name for name, gate in self.gates.items() if gate.held]

    def logs(self) -> str:
        return "".join(process.log.read_text(errors="replace") for process in self.running.values())


@asynccontextmanager
async def running_cluster(folder: Path, secret_days: int | None = None) -> AsyncIterator[tuple[Cluster, Connector]]:
    """A sandbox, an enabled integration and its administrator, one web process and two workers."""
    with fresh_database() as url:
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(running_sandbox())
            connector = await stack.enter_async_context(open_connector())
            await prepare(sandbox, connector, folder, url, secret_days)
            cluster = Cluster(sandbox, url, folder, stack)
            await cluster.start("web", "web")
            await asyncio.gather(cluster.start("worker-1", "worker"), cluster.start("worker-2", "worker"))
            await eventually(lambda: is_subscribed(sandbox))
            await sandbox.set_faults(graphQuota=QUOTA)
            await sandbox.clear_log()
            yield cluster, connector


async def prepare(
    sandbox: SandboxHandle, connector: Connector, folder: Path, url: str, secret_days: int | None
) -> None:
    async with running_engine(sandbox, folder, webhooks=False, url=url) as running:
        view = await running.connect()
        await running.wait_until_sent()
        async with running.database.writing() as session:
            row = await integrations.get(session, view.id)
            assert row is not None
            row.quota_spent = []
            if secret_days is not None:
                row.secret_expires_on = (utc_now() + timedelta(days=secret_days)).date()
            session.add(row)
            await conversations.upsert(
                session,
                tenant_id=TENANT,
                user_object_id=ADMIN,
                service_url=connector.url,
                conversation_id="chat-of-the-admin",
                user_id="29:admin",
                bot_id="28:bot",
                channel_id="msteams",
                locale="en",
                now=utc_now(),
            )
            await conversations.set_admin(session, TENANT, ADMIN, ADMIN)


async def is_subscribed(sandbox: SandboxHandle) -> bool:
    return len(sandbox.world.saved.subscriptions) == 1


async def refused_by_quota(sandbox: SandboxHandle) -> list[dict[str, Any]]:
    return [call for call in await asked_of_graph(sandbox) if call["status"] == 429]


async def asked_of_graph(sandbox: SandboxHandle) -> list[dict[str, Any]]:
    return [call for entry in await sandbox.log() for call in entry.get("batch") or []]


def print_figures(capsys: pytest.CaptureFixture[str], figures: str) -> None:
    with capsys.disabled():
        print(f"\n{figures}")


@pytest.mark.timeout(240)
async def test_a_killed_workers_integration_is_taken_over_with_nothing_lost_and_no_quota_exceeded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_cluster(tmp_path) as (cluster, _):
        sandbox = cluster.sandbox
        for gate in cluster.gates.values():
            gate.closed = True
        await sandbox.call(EXTENSIONS[0])
        await eventually(lambda: is_held(cluster))
        [victim] = cluster.holding()
        for gate in cluster.gates.values():
            gate.closed = False
        random = Random(2026)
        for extension in random.sample(EXTENSIONS[1:], 12):
            await sandbox.call(extension)
        await sandbox.hangup(EXTENSIONS[0])
        died = monotonic()
        await cluster.kill(victim)
        await eventually(lambda: presence_matches_phones(sandbox, EXTENSIONS))
        took = monotonic() - died
        assert await refused_by_quota(sandbox) == []
        assert "job_taken_over" in cluster.logs()
        sent = len(await asked_of_graph(sandbox))
        print_figures(
            capsys, f"taken over and converged {took:.1f} s after SIGKILL; {sent} requests, none over quota"
        )


async def is_held(cluster: Cluster) -> bool:
    return bool(cluster.holding())


@pytest.mark.timeout(240)
async def test_after_workers_are_killed_in_turn_presence_matches_the_phones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(4)
    async with running_cluster(tmp_path) as (cluster, _):
        for round_ in range(2):
            victim = f"worker-{round_ + 1}"
            for _ in range(8):
                extension = random.choice(EXTENSIONS)
                await (
                    cluster.sandbox.hangup_all(extension)
                    if random.random() < 0.4
                    else cluster.sandbox.call(extension)
                )
            await cluster.kill(victim)
            await cluster.start(f"worker-{round_ + 3}", "worker")
        replaced = monotonic()
        await eventually(lambda: presence_matches_phones(cluster.sandbox, EXTENSIONS), within=90)
        took = monotonic() - replaced
        print_figures(
            capsys, f"two workers killed: Teams and phones agree {took:.1f} s after the last was replaced"
        )
        assert await refused_by_quota(cluster.sandbox) == []


@pytest.mark.timeout(240)
async def test_no_notice_is_sent_twice_when_workers_die(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_cluster(tmp_path, secret_days=3) as (cluster, connector):
        await eventually(lambda: arrived(connector, 1))
        await cluster.kill("worker-1")
        await cluster.start("worker-3", "worker")
        await cluster.kill("worker-2")
        await cluster.sandbox.call(EXTENSIONS[0])
        await eventually(lambda: presence_matches_phones(cluster.sandbox, EXTENSIONS))
        await asyncio.sleep(12)  # longer than the interval between two runs of the notice scheduler
        sent_titles = [
            call.card["body"][0]["items"][0]["columns"][1]["items"][0]["text"] for call in connector.sent()
        ]
        assert sorted(sent_titles) == sorted(set(sent_titles))
        states = await states_of_notices(cluster.database_url)
        assert "expiry" in states
        assert set(states.values()) <= {State.SENT, State.SENDING}
        begun = list(states.values()).count(State.SENDING)
        assert len(states) - begun <= len(sent_titles) <= len(states)
        print_figures(
            capsys,
            f"two workers killed: {len(sent_titles)} notices, none twice; {begun} begun by a killed worker",
        )


async def states_of_notices(url: str) -> dict[str, str]:
    """By topic. A notice whose worker was killed while sending stays so for a day, then is sent again."""
    async with open_database(url) as database, database.session() as session:
        return {notice.topic: notice.state for notice in await session.exec(select(Notice))}


async def arrived(connector: Connector, count: int) -> bool:
    return len(connector.sent()) >= count
