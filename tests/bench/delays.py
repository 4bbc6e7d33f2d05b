"""How long webhooks and changes take: quiet, beside a busy loop, and while more is asked than the quota allows."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import aiohttp

from tests.bench.change_load import Load, Seen
from tests.bench.product import Setup, running_peer, running_product
from tests.support.storage.stores import sqlite_with_tables

BUSY = "while True: pass"
QUOTA = 1500


async def seen_by(folder: Path, setup: Setup, *loads: Load) -> list[Seen]:
    """What was seen of one product by these loads, one after the other; their ``url`` is its webhook's."""
    async with AsyncExitStack() as stack:
        timeout = aiohttp.ClientTimeout(total=300)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        peer = await stack.enter_async_context(running_peer(http))
        product = await stack.enter_async_context(running_product(sqlite_with_tables(folder), peer, setup))
        found = []
        for load in loads:
            body = asdict(load) | {"url": product.url}
            async with http.post(f"{peer}/load", json=body, raise_for_status=True) as response:
                found.append(Seen(**await response.json()))
        return found


async def quiet(folder: Path) -> Seen:
    """50 changes a second for 20 seconds, after a warming-up."""
    return (await seen_by(folder, Setup(), Load("", 200, 50, 200, 0), Load("", 1000, 50, 200, 1)))[1]


async def beside_a_busy_loop(folder: Path) -> Seen:
    async with busy_loop():
        return await quiet(folder)


async def beyond_the_quota(folder: Path) -> Seen:
    """10,000 people take a call within a minute: until Graph was asked for three times the quota of 30 seconds."""
    load = Load("", 10_000, 10_000 / 60, 10_000, 0, enough=3 * QUOTA, quota=QUOTA, brief=True)
    return (await seen_by(folder, Setup(10_000, QUOTA), load))[0]


@asynccontextmanager
async def busy_loop() -> AsyncIterator[None]:
    """Another process that takes all it gets of one processor."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BUSY)
    try:
        yield
    finally:
        process.kill()
        await process.wait()
