"""Runs the turns of one person one after the other, so that a second press finds the work of the first done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.chat.context import Proceed, TurnContext


class TurnQueue:
    """A middleware with one queue per person; a queue exists only while it is used."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        async with self._lock((context.tenant, context.person)):
            await proceed()

    @asynccontextmanager
    async def _lock(self, person: tuple[str, str]) -> AsyncIterator[None]:
        lock, users = self._locks.get(person, (asyncio.Lock(), 0))
        self._locks[person] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(person)
            if users > 1:
                self._locks[person] = (lock, users - 1)
