"""The services' clocks, from the ``Date`` headers of their responses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web

from sync.problems.clock_skew import HOSTS, ClockSkewMonitor
from tests.support.clocks import NOON, FakeClock
from tests.support.services.servers import TestServer


@asynccontextmanager
async def service(date: str) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": date})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/"))


async def test_the_skew_is_read_from_a_response() -> None:
    monitor = ClockSkewMonitor(FakeClock())
    assert monitor.seconds() is None
    date = format_datetime(NOON + timedelta(minutes=9), usegmt=True)
    async with service(date) as url, aiohttp.ClientSession(trace_configs=[monitor.tracing()]) as http:
        (await http.get(url)).release()
    assert monitor.seconds() == 540


async def test_the_skew_is_the_median_of_the_hosts() -> None:
    monitor = ClockSkewMonitor(FakeClock())
    for host, minutes in (("one", 0), ("two", 0), ("wrong", 500)):
        monitor.record(host, format_datetime(NOON + timedelta(minutes=minutes), usegmt=True))
    assert monitor.seconds() == 0


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT", "x" * 10_000])
def test_a_malformed_date_is_ignored(date: str) -> None:
    monitor = ClockSkewMonitor(FakeClock())
    monitor.record("host", date)
    assert monitor.seconds() is None


def test_only_the_latest_hosts_are_kept() -> None:
    monitor = ClockSkewMonitor(FakeClock())
    for number in range(HOSTS):
        monitor.record(f"old {number}", format_datetime(NOON + timedelta(hours=1), usegmt=True))
    for number in range(HOSTS):
        monitor.record(f"new {number}", format_datetime(NOON, usegmt=True))
    assert monitor.seconds() == 0
