"""Readiness, metrics and request logs from outside: during a database outage, and after work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sync.domain.errors import Fault
from sync.problems.incidents import CLOCK, CLOCK_SKEWED, PEOPLE, UNMATCHED_RISING
from tests.support.application import running_app
from tests.support.captured_log import captured_log
from tests.support.db_proxy import DatabaseProxy, proxy_to
from tests.support.documents import METRICS
from tests.support.engines import ADMIN, TENANT
from tests.support.eventually import eventually
from tests.support.postgres import fresh_database
from tests.support.presence import IN_A_CALL, answer_call, connected_engine

FAULTS = {fault.value for fault in Fault} | {CLOCK_SKEWED, UNMATCHED_RISING}
SERVICES = {"cloudlink", "entra", "graph", CLOCK, PEOPLE}


@asynccontextmanager
async def on_postgres(folder: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession, DatabaseProxy]]:
    with fresh_database() as url:
        async with proxy_to(url) as db_proxy, running_app(folder, database_url=db_proxy.url) as (at, http):
            yield at, http, db_proxy


async def test_readiness_reports_a_postgresql_outage_until_it_ends(tmp_path: Path) -> None:
    async with on_postgres(tmp_path) as (url, http, db_proxy):

        async def status(path: str) -> int:
            async with http.get(f"{url}/{path}") as response:
                return response.status

        async def is_ready() -> bool:
            return await status("readyz") == 200

        await eventually(is_ready)
        await db_proxy.cut()
        assert (await status("readyz"), await status("healthz")) == (503, 200)
        async with http.get(f"{url}/metrics") as response:
            assert 'cloudlink_presence_ready{part="database"} 0.0' in await response.text()
        async with http.post(f"{url}/webhooks/cloudlink/some-token", json={}) as response:
            assert response.status == 503
        db_proxy.restore()
        await eventually(is_ready)
        async with http.post(f"{url}/webhooks/cloudlink/some-token", json={}) as response:
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
    async with running_app(tmp_path) as (url, http), http.get(f"{url}/metrics") as response:
        families = {family.name for family in text_string_to_metric_families(await response.text())}
    assert {name.removesuffix("_total") for name in METRICS} <= families
