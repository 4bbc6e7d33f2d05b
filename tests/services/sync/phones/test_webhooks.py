import asyncio
import gzip
from collections import Counter
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

from core import limited_log
from core.metrics import Metrics
from core.rates import Rate
from storage.database import Database
from sync.cloudlink.tables import load_tables
from sync.phones.subscriptions import hashed
from sync.phones.webhooks import MAX_NOTIFICATIONS, WebhookLimits, Webhooks
from tests.support.captured_log import captured_log
from tests.support.clocks import NOON
from tests.support.eventually import eventually
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.services.servers import serving
from tests.support.storage.stores import empty_store, integration, person, read_integration, read_person, stored
from tests.support.sync.flows import flow_of

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
    jobs: FakeJobs

    async def post(
        self, data: Any, token: str = TOKEN, content_type: str = "application/json", method: str = "POST"
    ) -> int:
        payload = data if isinstance(data, bytes) else orjson.dumps(data)
        headers = {"Content-Type": content_type}
        async with self.http.request(method, f"{self.url}/{token}", data=payload, headers=headers) as response:
            assert await response.read() == b""
            return response.status


@asynccontextmanager
async def bench(folder: Path, limits: WebhookLimits | None = None) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database, aiohttp.ClientSession() as http:
        row = integration(webhook_token_hash=hashed(TOKEN), subscription_id="s1")
        await stored(database, row, person())
        registry = CollectorRegistry()
        jobs = FakeJobs()
        context = context_of(database, jobs=jobs, metrics=Metrics(registry))
        webhooks = Webhooks(context, flow_of(context), load_tables(None), limits)
        application = web.Application()
        application.router.add_route("*", "/{token}", webhooks.receive)
        async with serving(application) as url:
            yield Bench(url, http, webhooks, database, registry, jobs)
        await webhooks.close()


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


BODY = orjson.dumps(body())
NAMED = BODY.replace(b'"callId"', b'"from":"J\xc3\xb3ia","callId"')


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "payload",
    [
        BODY,
        BODY.decode().encode("utf-8-sig"),
        BODY.decode().encode("utf-16"),
        BODY.decode().encode("utf-16-le"),
        orjson.dumps([body()]),
        orjson.dumps([{"junk": True}, body(), body("e2", accountId="another")]).decode().encode("utf-8-sig"),
        orjson.dumps({**body(accountId="ACCOUNT"), "subscription": {"subscriptionId": "S1"}}),
        NAMED.decode().encode("latin-1"),
        NAMED.replace(b"\xc3\xb3", rb"\ud83d"),
        NAMED.replace(b"\xc3\xb3", b"\t"),
    ],
)
async def test_an_event_is_stored_however_it_is_wrapped(tmp_path: Path, method: str, payload: bytes) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(payload, method=method) == 202
        assert (await read_person(at.database)).line == "on_call"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/cloudevents+json", "application/json; charset=utf-8", "", "x"]
)
async def test_the_token_vouches_for_an_event_and_not_its_content_type(tmp_path: Path, content_type: str) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(body(), content_type=content_type) == 202
        assert (await read_person(at.database)).line == "on_call"


async def test_several_notifications_in_one_body_are_all_stored_in_the_order_of_their_times(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, person("p2"))
        ended = body("e3", "ended", timestamp=1_795_000_000_001)
        other = body("e2", endpointId="ext p2", userId="cloudlink p2", callId="c2")
        assert await at.post([ended, other, body()]) == 202
        assert (await read_person(at.database)).line == "idle"
        assert (await read_person(at.database, "p2")).line == "on_call"


async def test_notifications_for_others_in_an_array_are_not_stored(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.post([body(accountId="another"), body("e2", accountId="third")]) == 404
        assert (await read_person(at.database)).line == "unknown"


async def test_large_bodies_are_rejected(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
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

    async with bench(tmp_path, WebhookLimits(read_seconds=0.1)) as at:
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


async def test_a_flood_of_refused_notifications_is_a_few_log_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_log, "LINES", Rate(3, 0))
    async with bench(tmp_path) as at:
        with captured_log() as log:
            for _ in range(5):
                assert await at.post(b"{}") == 400
                assert await at.post(b"{}", token="unknown") == 404
        events = Counter(line["event"] for line in log.lines() if line["level"] == "warning")
        assert events == {"webhook_refused": 6, "notifications_malformed": 3}


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


async def test_after_a_503_everybody_is_polled_as_soon_as_the_store_is_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await stored(at.database, integration(id="i2"), integration(id="i3", enabled=False))
        for broken, back in (("seenevent", "away"), ("integration", "gone")):
            at.jobs.deferred.clear()
            await rename(at.database, broken, back)
            assert await at.post(body()) == 503
            assert at.jobs.deferred == []
            await rename(at.database, back, broken)
            await eventually(lambda: ("poll", "i1", None) in at.jobs.deferred)
            assert {key for _, key, _ in at.jobs.deferred} == {"i1"}
            assert (await read_integration(at.database)).catch_up_since == NOON
            assert (await read_integration(at.database, "i2")).catch_up_since is None


async def test_events_that_arrive_too_slowly_are_made_up_for(tmp_path: Path) -> None:
    async with bench(tmp_path, WebhookLimits(read_seconds=0.05)) as at:

        async def slowly() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.sleep(0.5)
            yield b"}"

        async with at.http.post(f"{at.url}/{TOKEN}", data=slowly()) as response:
            assert response.status == 408
        await eventually(lambda: ("poll", "i1", None) in at.jobs.deferred)


@pytest.mark.parametrize("sent", [b" " * 70_000, orjson.dumps([1] * (MAX_NOTIFICATIONS + 1))])
async def test_events_in_too_large_a_body_are_made_up_for(tmp_path: Path, sent: bytes) -> None:
    async with bench(tmp_path) as at:
        assert await at.post(sent) == 413
        await eventually(lambda: ("poll", "i1", None) in at.jobs.deferred)
        at.jobs.deferred.clear()
        assert await at.post(b"junk") == 400
        await eventually(lambda: at.webhooks.is_caught_up)
        assert at.jobs.deferred == []


async def test_strangers_cause_no_polls(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await rename(at.database, "integration", "gone")
        assert await at.post(body(), token="guessed") == 503
        await rename(at.database, "gone", "integration")
        assert await at.post(body(), token="guessed") == 404
        await eventually(lambda: at.webhooks.is_caught_up)
        assert at.jobs.deferred == []


async def test_a_body_of_too_many_items_is_rejected_unread_with_one_log_line(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for items in ([1] * 30_000, [body(f"e{number}") for number in range(MAX_NOTIFICATIONS + 1)]):
            with captured_log() as log:
                assert await at.post(items) == 413
            assert len(log.lines()) == 1
        assert (await read_person(at.database)).line == "unknown"


async def test_malformed_items_are_one_log_line(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        with captured_log() as log:
            assert await at.post([1] * (MAX_NOTIFICATIONS - 1) + [body()]) == 202
        (line,) = [line for line in log.lines() if line["event"] == "notifications_malformed"]
        assert line["count"] == MAX_NOTIFICATIONS - 1


async def test_a_tenant_has_a_rate_of_events_for_all_its_integrations_and_another_is_not_affected(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, WebhookLimits(rate=Rate(2, 0))) as at:
        own = integration(id="i2", webhook_token_hash=hashed("second"), subscription_id="s1")
        other = integration(id="i3", owner_tenant="other", webhook_token_hash=hashed("other"), subscription_id="s1")
        await stored(at.database, own, other)
        assert await at.post([body(), body("e2")]) == 202
        assert await at.post(body("e3")) == 429
        assert await at.post(body("e4"), token="second") == 429
        assert await at.post(b"junk", token="second") == 429
        assert await at.post(body("e5"), token="other") == 202
        await eventually(lambda: ("poll", "i1", None) in at.jobs.deferred)


async def rename(database: Database, table: str, name: str) -> None:
    async with database.writing() as session:
        await session.exec(text(f"ALTER TABLE {table} RENAME TO {name}"))  # type: ignore[call-overload]
