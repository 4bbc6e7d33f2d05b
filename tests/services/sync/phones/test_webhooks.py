import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from core.metrics import Metrics
from storage.database import Database
from sync.cloudlink.tables import load_tables
from sync.phones.ingest import EventIngestor
from sync.phones.subscriptions import hashed
from sync.phones.webhooks import READ_TIMEOUT, Webhooks
from tests.support.captured_log import captured_log
from tests.support.fake_services import context_of
from tests.support.stores import empty_store, integration, person, read_person, stored

pytestmark = pytest.mark.usefixtures("each_database")

TOKEN = "an-unguessable-token"


def body(event_id: str = "e1", state: str = "connected", **changes: Any) -> dict[str, Any]:
    content = {
        "state": state,
        "endpointId": "ext p1",
        "userId": "cloudlink p1",
        "accountId": "account",
        "callId": "c1",
        "timestamp": 1_795_000_000_000,
        "eventId": event_id,
        "eventType": "CallStateNotification",
    }
    return {
        "topic": "platform-api-media",
        "subject": "/2017-09-01/endpoints/ext p1/calls/c1",
        "content": {**content, **changes},
        "subscription": {"subscriptionId": "s1"},
    }


@dataclass
class Bench:
    url: str
    http: aiohttp.ClientSession
    webhooks: Webhooks
    database: Database
    registry: CollectorRegistry

    async def post(self, data: Any, token: str = TOKEN, content_type: str = "application/json") -> int:
        payload = data if isinstance(data, bytes) else orjson.dumps(data)
        headers = {"Content-Type": content_type}
        async with self.http.post(f"{self.url}/{token}", data=payload, headers=headers) as response:
            assert await response.read() == b""
            return response.status


@asynccontextmanager
async def bench(folder: Path, read_timeout: float = READ_TIMEOUT) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database, aiohttp.ClientSession() as http:
        row = integration(webhook_token_hash=hashed(TOKEN), subscription_id="s1")
        await stored(database, row, person())
        registry = CollectorRegistry()
        context = context_of(database, metrics=Metrics(registry))
        webhooks = Webhooks(context, EventIngestor(context), load_tables(None), read_timeout)
        application = web.Application()
        application.router.add_post("/{token}", webhooks.receive)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Bench(f"http://127.0.0.1:{runner.addresses[0][1]}", http, webhooks, database, registry)
        finally:
            await runner.cleanup()


async def test_after_a_202_the_event_is_stored(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(body()) == 202
        assert (await read_person(at.database)).line == "on_call"


async def test_concurrent_requests_are_all_stored(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, *(person(f"q{n}") for n in range(30)))
        posts = [at.post(body(f"e{n}", endpointId=f"ext q{n}", userId="", callId=f"c{n}")) for n in range(30)]
        assert set(await asyncio.gather(*posts)) == {202}
        lines = [(await read_person(at.database, f"q{n}")).line for n in range(30)]
        assert lines == ["on_call"] * 30


@pytest.mark.parametrize(
    ("changes", "subscription"),
    [({"accountId": "another"}, "s1"), ({}, "another"), ({"accountId": "another"}, "another")],
)
async def test_a_foreign_account_or_subscription_is_not_found(
    tmp_path: Path, changes: dict[str, Any], subscription: str
) -> None:
    async with bench(tmp_path) as at:
        foreign = {**body(**changes), "subscription": {"subscriptionId": subscription}}
        assert await at.post(foreign) == 404
        assert (await read_person(at.database)).line == "unknown"


async def test_an_unknown_token_is_not_found_whatever_the_body(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for token in ("guess", "x" * 500, hashed(TOKEN)):
            assert await at.post(body(), token=token) == 404
            assert await at.post(b"{not json", token=token) == 404
            assert await at.post(b"x" * 100_000, token=token, content_type="text/plain") == 404


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"{not json",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 5000,
        orjson.dumps({**body(), "content": []}),
    ],
)
async def test_a_malformed_body_is_a_bad_request_and_changes_nothing(tmp_path: Path, junk: bytes) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(junk) == 400
        assert (await read_person(at.database)).line == "unknown"


async def test_other_content_types_and_large_bodies_are_rejected(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(body(), content_type="text/plain") == 415
        assert await at.post(b" " * 70_000 + orjson.dumps(body())) == 413
        assert (await read_person(at.database)).line == "unknown"


async def test_the_limit_applies_to_the_decompressed_body(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        for data, status in ((gzip.compress(b" " * 50_000_000), 413), (b"not gzip at all", 400)):
            async with at.http.post(f"{at.url}/{TOKEN}", data=data, headers=packed) as response:
                assert response.status == status


async def test_a_body_that_never_ends_times_out(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await go_on.wait()

    async with bench(tmp_path, read_timeout=0.1) as at:
        headers = {"Content-Type": "application/json"}
        async with at.http.post(f"{at.url}/{TOKEN}", data=dripping(), headers=headers) as response:
            assert response.status == 408
        go_on.set()


async def test_nothing_is_revealed_in_the_log_or_the_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bench(tmp_path) as at:
        await at.post(body(accountId="another"))
        await at.post(b"junk")
        logged_lines = capsys.readouterr().out
        assert "webhook_refused" in logged_lines
        assert TOKEN not in logged_lines
        assert at.registry.get_sample_value("cloudlink_presence_webhooks_total", {"answer": "not_found"}) == 1


async def test_without_a_subscription_no_notification_is_accepted(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2", webhook_token_hash=hashed("other")))
        empty = {**body(), "subscription": {"subscriptionId": ""}}
        assert await at.post(empty, token="other") == 400
        assert await at.post(body(), token="other") == 404


async def test_a_database_error_is_answered_with_503_and_a_later_retry_is_stored(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        async with at.database.writing() as session:
            await session.exec(text("ALTER TABLE seenevent RENAME TO away"))  # type: ignore[call-overload]
        with captured_log() as log:
            assert await at.post(body()) == 503
        assert at.registry.get_sample_value("cloudlink_presence_webhooks_total", {"answer": "not_stored"}) == 1
        assert [line["event"] for line in log.lines() if line["level"] != "info"] == [
            "webhook_not_stored",
            "webhook_refused",
        ]
        assert len({line["cause"] for line in log.lines()}) == 1
        async with at.database.writing() as session:
            await session.exec(text("ALTER TABLE away RENAME TO seenevent"))  # type: ignore[call-overload]
        assert await at.post(body()) == 202
        assert (await read_person(at.database)).line == "on_call"
