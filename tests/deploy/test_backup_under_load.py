"""A backup made by the guide's commands while webhooks and an administrator write; the product starts on it."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from cryptography.fernet import Fernet

from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.keys import key_from_file
from sync.phones.subscriptions import hashed
from tests.deploy.test_backup import Machine
from tests.deploy.test_backup import machine as machine
from tests.deploy.test_backup import presence as presence
from tests.support.eventually import eventually
from tests.support.processes import app_process, run_app
from tests.support.services.connectors import Connector, open_connector
from tests.support.storage.stores import integration, person, sqlite_with_tables, stored, with_secrets

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PHONES = 20
BEFORE = 40
"""Events that are accepted before the backup begins, and while it is made."""

WEBHOOK, SUBSCRIPTION, TENANT, OWNER = "the-webhook", "subscription", "t1", "ada"
NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true",
    "LOG_FORMAT": "json",
    "ADMINS": OWNER,
    "ENTRA_URL": NOWHERE,
    "GRAPH_URL": NOWHERE,
    "CLOUDLINK_URL": f"{NOWHERE}/{{service}}",
}


@dataclass
class Writers:
    """Everyone who writes to a product, steadily; what it accepted: events by id, monitors by name."""

    url: str
    connector: Connector
    http: aiohttp.ClientSession
    events: list[str] = field(default_factory=list)
    monitors: list[str] = field(default_factory=list)

    async def phones(self, phone: int) -> None:
        for number in count():
            event = f"event-{phone}-{number}"
            content = {
                "accountId": "account",
                "eventId": event,
                "callId": event,
                "timestamp": 1_795_000_000_000 + number,
                "endpointId": str(2000 + (phone + number) % PHONES),
                "state": "connected",
            }
            body = {"content": content, "subscription": {"subscriptionId": SUBSCRIPTION}}
            async with self.http.post(f"{self.url}/webhooks/cloudlink/{WEBHOOK}", json=body) as answer:
                assert answer.status == 202
            self.events.append(event)
            await asyncio.sleep(0.02)

    async def administrator(self) -> None:
        for number in range(20):
            name = f"Monitor {number}"
            data = {"integration": "i1", "names": name}
            action = {"type": "Action.Execute", "verb": "monitors.add", "data": data}
            owner = {"id": f"29:{OWNER}", "name": "Ada", "aadObjectId": OWNER}
            activity: dict[str, Any] = {
                "type": "invoke",
                "name": "adaptiveCard/action",
                "value": {"action": action},
                "id": f"a{number}",
                "channelId": "msteams",
                "serviceUrl": self.connector.url,
                "from": owner,
                "recipient": {"id": "28:bot"},
                "locale": "en-US",
                "conversation": {"id": "chat", "conversationType": "personal", "tenantId": TENANT},
            }
            async with self.http.post(f"{self.url}/api/messages", json=activity) as answer:
                assert name in await answer.text()
            self.monitors.append(name)
            await asyncio.sleep(0.05)

    async def have_written(self, events: int) -> None:
        async def enough() -> bool:
            return len(self.events) >= events and bool(self.monitors)

        await eventually(enough)


@asynccontextmanager
async def writing(folder: Path, **settings: str) -> AsyncIterator[Writers]:
    """A product at work, killed at the end, while everyone writes."""
    with app_process(folder, "serve", **SETTINGS, **settings) as process:
        lines = iter(process.stdout.readline, "")
        port = next(json.loads(line)["port"] for line in lines if '"listening"' in line)
        async with aiohttp.ClientSession() as http, open_connector() as connector:
            writers = Writers(f"http://127.0.0.1:{port}", connector, http)
            tasks = [asyncio.create_task(writers.phones(phone)) for phone in range(2)]
            tasks.append(asyncio.create_task(writers.administrator()))
            yield writers
            await writers.have_written(len(writers.events) + 1)
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert ended is None or isinstance(ended, asyncio.CancelledError)
        process.kill()


async def with_phones(database: Database, key: str) -> None:
    row = integration(webhook_token_hash=hashed(WEBHOOK), subscription_id=SUBSCRIPTION)
    columns = ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")
    people = [person(f"p{number}", extension=str(2000 + number)) for number in range(PHONES)]
    await stored(database, with_secrets(row, Encryption([key]), **dict.fromkeys(columns, "secret")), *people)


async def column(database: Database, statement: str) -> set[str]:
    async with database.engine.connect() as connection:
        return {row[0] for row in await connection.exec_driver_sql(statement)}


async def check(url: str, events: Collection[str], monitors: Collection[str]) -> None:
    """What was accepted is there, and of nothing only a part: both rows of a transaction, or neither."""
    async with open_database(url) as database:
        seen = await column(database, "SELECT event_id FROM seenevent")
        calls = await column(database, "SELECT call_id FROM call")
        names = await column(database, "SELECT name FROM monitor")
        facts = await column(database, "SELECT CAST(facts AS text) FROM act WHERE act = 'monitors_add'")
    assert (set(events) - seen, set(monitors) - names) == (set(), set())
    assert calls == seen
    assert {f'"{name}"' for name in names} == {re.findall(r'"Monitor \d+"', fact)[0] for fact in facts}


async def test_sqlite(machine: Machine) -> None:
    key = key_from_file(machine.data / "secret.key")
    (machine.root / "var/backups").mkdir()
    async with open_database(sqlite_with_tables(machine.data)) as database:
        await with_phones(database, key)
    async with writing(machine.root, DATA_DIR=str(machine.data)) as writers:
        await writers.have_written(BEFORE)
        events, monitors = [*writers.events], [*writers.monitors]
        await asyncio.to_thread(machine.run, "VACUUM INTO")
        await asyncio.to_thread(machine.run, "secret.key /var/backups")
        await writers.have_written(len(events) + BEFORE)
    machine.data.rename(machine.root / "the machine that was lost")
    assert run_app(machine.root, "migrate", DATA_DIR=str(machine.data))[0] == 0
    machine.run("rm -f presence.db-wal")
    file = machine.data / "presence.db"
    with sqlite3.connect(file) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert restored.execute("PRAGMA foreign_key_check").fetchall() == []
    restored.close()
    await check(f"sqlite:///{file}", events, monitors)
    async with writing(machine.root, DATA_DIR=str(machine.data)) as again:
        await again.have_written(1)


async def test_postgresql(machine: Machine, presence: str) -> None:
    key = Fernet.generate_key().decode()
    machine.secrets.mkdir(parents=True)
    (machine.secrets / "secret_keys").write_text(key)
    async with open_database(presence) as database:
        await with_phones(database, key)
    async with writing(machine.root, DATABASE_URL=presence, SECRET_KEYS=key) as writers:
        await writers.have_written(BEFORE)
        events, monitors = [*writers.events], [*writers.monitors]
        await asyncio.to_thread(machine.run, "exec -T database pg_dump")
        await asyncio.to_thread(machine.run, "deploy/secrets/secret_keys ")
        await writers.have_written(len(events) + BEFORE)
    (machine.secrets / "secret_keys").unlink()
    machine.run("exec -T database pg_restore")
    with psycopg.connect(presence) as restored:
        unchecked = restored.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
        assert unchecked.fetchone() == (0,)
    await check(presence, events, monitors)
    found = (machine.secrets / "secret_keys").read_text()
    async with writing(machine.root, DATABASE_URL=presence, SECRET_KEYS=found) as again:
        await again.have_written(1)
