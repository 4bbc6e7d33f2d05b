"""Long work of many, slice by slice: together it takes a quarter of a process, however many have some."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from core.clock import Sleep

PAUSE, LONGEST_PAUSE = 3.0, 0.1
"""After a slice, in multiples of the time it took, and in seconds at most."""


class Turns:
    """One slice at a time, and a pause after it before the next of any."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._lock = asyncio.Lock()
        self._sleep = sleep

    @asynccontextmanager
    async def slice(self) -> AsyncIterator[None]:
        async with self._lock:
            began = monotonic()
            yield
            await self._sleep(min(LONGEST_PAUSE, PAUSE * (monotonic() - began)))
