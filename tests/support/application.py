"""The whole application inside a test, against the sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from app import ENGINE, open_application
from settings import Settings
from tests.support.sandboxes import running_sandbox


@asynccontextmanager
async def running_app(data: Path, **changed: Any) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        values: dict[str, Any] = {
            "data_dir": data,
            "entra_url": sandbox.url,
            "graph_url": sandbox.url,
            "cloudlink_url": sandbox.cloudlink_url,
            "dangerously_allow_unauthenticated": True,
        } | changed
        settings = Settings(_env_file=None, **values)
        async with open_application(settings) as application, TestServer(application) as server:
            await application[ENGINE].start()
            yield str(server.make_url("")).rstrip("/"), http
