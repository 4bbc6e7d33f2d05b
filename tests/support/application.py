"""The whole application inside a test, against the sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from app import open_applications
from core.http.server import listening
from settings import Settings
from tests.support.services.sandboxes import running_sandbox
from tests.support.storage.stores import sqlite_with_tables

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class RunningApp:
    """``url`` is the public address, ``operations`` that of the probes and metrics; ``http`` sends requests."""

    url: str
    operations: str
    http: aiohttp.ClientSession


@asynccontextmanager
async def both_ports(data: Path, **changed: Any) -> AsyncIterator[RunningApp]:
    """On a database with tables in ``data``: a start that makes them is shown elsewhere."""
    sqlite_with_tables(data)
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        values: dict[str, Any] = {
            "data_dir": data,
            "entra_url": sandbox.url,
            "graph_url": sandbox.url,
            "cloudlink_url": sandbox.cloudlink_url,
            "dangerously_allow_unauthenticated": True,
        } | changed
        settings = Settings(_env_file=None, **values)
        async with open_applications(settings) as served:
            assert served.public
            async with (
                listening(served.public, LOOPBACK, 0, served.gate) as port,
                listening(served.operations, LOOPBACK, 0) as operations,
            ):
                await served.engine.start()
                yield RunningApp(f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{operations}", http)


@asynccontextmanager
async def running_app(data: Path, **changed: Any) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """The public address, and what sends requests to it."""
    async with both_ports(data, **changed) as running:
        yield running.url, running.http
