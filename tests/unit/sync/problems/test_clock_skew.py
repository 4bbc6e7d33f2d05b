"""The clocks of others, read from what they answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sync.problems.clock_skew import HOSTS, ClockSkewMonitor
from tests.support.clocks import NOON, FakeClock


@asynccontextmanager
async def service(date: str) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": date})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/"))


async def test_the_difference_is_read_from_an_answer() -> None:
    watch = ClockSkewMonitor(FakeClock())
    assert watch.seconds() is None
    date = format_datetime(NOON + timedelta(minutes=9), usegmt=True)
    async with service(date) as url, aiohttp.ClientSession(trace_configs=[watch.tracing()]) as http:
        (await http.get(url)).release()
    assert watch.seconds() == 540


async def test_one_wrong_host_among_three_does_not_decide() -> None:
    watch = ClockSkewMonitor(FakeClock())
    for host, minutes in (("one", 0), ("two", 0), ("wrong", 500)):
        watch.note(host, format_datetime(NOON + timedelta(minutes=minutes), usegmt=True))
    assert watch.seconds() == 0


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT", "x" * 10_000])
def test_a_date_that_cannot_be_read_says_nothing(date: str) -> None:
    watch = ClockSkewMonitor(FakeClock())
    watch.note("host", date)
    assert watch.seconds() is None


def test_hosts_do_not_pile_up() -> None:
    watch = ClockSkewMonitor(FakeClock())
    for number in range(HOSTS):
        watch.note(f"old {number}", format_datetime(NOON + timedelta(hours=1), usegmt=True))
    for number in range(HOSTS):
        watch.note(f"new {number}", format_datetime(NOON, usegmt=True))
    assert watch.seconds() == 0
