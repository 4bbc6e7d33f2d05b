"""Readiness, metrics and request logs from outside: during a database outage, and after work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from core.clock import utc_now
from core.http.server import listening
from core.metrics import Metrics
from storage.database import Database, open_database
from sync.domain.errors import Fault
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.routes import operations_routes
from sync.monitoring.store_gauges import StoreGauges
from sync.problems.incidents import CLOCK, CLOCK_SKEWED, LISTS, LISTS_SHRUNK, PEOPLE, UNMATCHED_RISING
from tests.support.application import RunningApp, both_ports, running_app
from tests.support.captured_log import captured_log
from tests.support.documents import METRICS
from tests.support.engines import ADMIN, TENANT
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL, answer_call, connected_engine
from tests.support.services.connectors import open_bot_entra
from tests.support.storage.db_proxy import DatabaseProxy, proxy_to
from tests.support.storage.postgres import fresh_database
from tests.support.storage.stores import database_with_tables
from tests.wire.bot_process import APP_ID

FAULTS = {fault.value for fault in Fault} | {CLOCK_SKEWED, LISTS_SHRUNK, UNMATCHED_RISING}
SERVICES = {"cloudlink", "entra", "graph", CLOCK, LISTS, PEOPLE}


@asynccontextmanager
async def on_postgres(folder: Path) -> AsyncIterator[tuple[RunningApp, DatabaseProxy]]:
    with fresh_database() as url:
        async with proxy_to(url) as db_proxy, both_ports(folder, database_url=db_proxy.url) as running:
            yield running, db_proxy


@pytest.mark.long
async def test_readiness_reports_a_postgresql_outage_until_it_ends(tmp_path: Path) -> None:
    async with on_postgres(tmp_path) as (running, db_proxy):
        http, webhook = running.http, f"{running.url}/webhooks/cloudlink/some-token"

        async def status(path: str) -> int:
            async with http.get(f"{running.operations}/{path}") as response:
                return response.status

        async def is_ready() -> bool:
            return await status("readyz") == 200

        async def is_not_ready() -> bool:
            return await status("readyz") == 503

        await eventually(is_ready)
        await db_proxy.cut()
        await eventually(is_not_ready)
        assert await status("healthz") == 200
        async with http.get(f"{running.operations}/metrics") as response:
            assert 'cloudlink_presence_ready{part="database"} 0.0' in await response.text()
        async with http.post(webhook, json={}) as response:
            assert response.status == 503
        db_proxy.restore()
        await eventually(is_ready)
        async with http.post(webhook, json={}) as response:
            assert response.status == 404


async def test_no_request_is_logged_with_its_path(tmp_path: Path) -> None:
    with captured_log() as log:
        async with running_app(tmp_path) as (url, http):
            for path in ("webhooks/cloudlink/a-token-to-keep", "exports/a-token-to-keep", "a-token-to-keep"):
                async with http.post(f"{url}/{path}", data=b"{") as response:
                    assert response.status >= 400
    assert log.lines("webhook_refused")
    assert "a-token-to-keep" not in log.text


async def test_after_work_no_label_has_an_unexpected_value(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.publish_state("2001", "levitating")
        await sandbox.set_faults(graphForbidden=True)
        await sandbox.new_cloudlink_secret()
        await running.engine.connection_test.test(TENANT, await running.integration_id(), ADMIN)
        await running.engine.readiness.refresh_gauges()
        exposed = {
            (sample.name, label, value)
            for family in running.registry.collect()
            for sample in family.samples
            for label, value in sample.labels.items()
        }
        unforeseen = {each for each in exposed if not _is_foreseen(*each)}
        assert unforeseen == set()
        assert any(label == "fault" for _, label, _ in exposed)


def _samples_of(name: str) -> set[str]:
    counted = name.removesuffix("_total")
    return {name, *(f"{counted}_{part}" for part in ("bucket", "count", "sum", "created"))}


def _is_foreseen(sample: str, label: str, value: str) -> bool:
    if label in {"le", "version", "python", "database"}:
        return True
    if label == "fault":
        return value in FAULTS
    metric = METRICS[next(name for name in METRICS if sample in _samples_of(name))]
    listed = {key[metric._labelnames.index(label)] for key in metric._metrics}
    return value in (listed or SERVICES)


async def test_prometheus_can_read_the_metrics(tmp_path: Path) -> None:
    async with both_ports(tmp_path) as running, running.http.get(f"{running.operations}/metrics") as response:
        families = {family.name for family in text_string_to_metric_families(await response.text())}
    assert {name.removesuffix("_total") for name in METRICS} <= families


async def test_the_public_port_answers_liveness_and_nothing_of_operations(tmp_path: Path) -> None:
    async with both_ports(tmp_path) as running:
        for path, status in (("healthz", 200), ("readyz", 404), ("metrics", 404)):
            async with running.http.get(f"{running.url}/{path}") as response:
                assert response.status == status
                assert "cloudlink_presence" not in await response.text()


async def test_an_expired_password_of_the_bot_is_named_and_webhooks_go_on(tmp_path: Path) -> None:
    async with open_bot_entra() as entra:
        entra.refuse, entra.code = True, 7000222
        bot = {"bot_app_id": APP_ID, "bot_app_password": "expired", "bot_tenant_id": APP_ID, "entra_url": entra.url}
        with captured_log() as log:
            async with both_ports(tmp_path, **bot) as running:
                async with running.http.get(f"{running.operations}/metrics") as response:
                    assert 'cloudlink_presence_ready{part="bot"} 0.0' in await response.text()
                async with running.http.get(f"{running.operations}/readyz") as response:
                    assert response.status == 200
                async with running.http.post(f"{running.url}/webhooks/cloudlink/some-token", json={}) as response:
                    assert response.status == 404
        [line] = log.lines("bot_token_refused")
        assert (line["aadsts"], "BOT_APP_PASSWORD" in line["help"]) == (7000222, True)


async def test_no_response_names_the_software(tmp_path: Path) -> None:
    async with both_ports(tmp_path) as running:
        for url in (running.url, running.operations):
            for path in ("healthz", "readyz", "exports/x", "nothing"):
                async with running.http.get(f"{url}/{path}") as response:
                    said = f"{dict(response.headers)} {await response.text()}".lower()
                assert not any(name in said for name in ("python", "aiohttp"))


async def test_however_often_they_are_requested_the_database_is_asked_once_in_seconds(tmp_path: Path) -> None:
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    with database_with_tables(tmp_path) as url:
        async with open_database(url) as database, open_operations(database) as (at, http):
            event.listen(database.engine.sync_engine, "before_cursor_execute", note)

            async def get(path: str) -> int:
                async with http.get(f"{at}/{path}") as response:
                    return response.status

            assert set(await asyncio.gather(*(get(path) for path in ("readyz", "metrics") * 50))) == {200}
    assert 1 <= len([each for each in statements if each.startswith("UPDATE alembic_version")]) <= 2
    assert len(statements) <= 20


@asynccontextmanager
async def open_operations(database: Database) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics))
    probe = ReadinessProbe(database, jobs, StoreGauges(database, metrics, utc_now), metrics)
    application = web.Application()
    application.add_routes(operations_routes(probe, registry))
    async with jobs.running(), listening(application, "127.0.0.1", 0) as port, aiohttp.ClientSession() as http:
        yield f"http://127.0.0.1:{port}", http
    await probe.close()
