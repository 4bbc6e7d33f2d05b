"""One store, opened by two processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from storage.database import Database, open_database
from tests.support.storage.stores import empty_store, stored


@asynccontextmanager
async def two_processes(folder: Path, *rows: Any) -> AsyncIterator[tuple[Database, Database]]:
    """The same store, opened twice."""
    async with empty_store(folder) as one:
        await stored(one, *rows)
        async with open_database(one.engine.url.render_as_string(hide_password=False)) as other:
            yield one, other
