"""Runs the turns of one person one after the other, so that a second press finds the work of the first done.

Turns that wait are held in memory with all that was typed: a person, and a tenant, may have only so many.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.activity import Action, Message
from bot.cards import welcome as cards
from bot.chat.context import Proceed, TurnContext
from bot.chat.turn_metrics import Outcome

OF_A_PERSON, OF_A_TENANT = 10, 100
"""Turns that have begun and not ended."""


class TurnQueue:
    """A middleware with one queue per person; a queue exists only while it is used."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}
        self._tenants: Counter[str] = Counter()

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        if isinstance(context.turn.incoming.event, Message | Action) and self._is_full(context):
            context.measured.outcome = Outcome.REFUSED
            await context.turn.replace(cards.limited(context.texts), context.texts("limited.title"))
        else:
            async with self._lock((context.tenant, context.person)):
                await proceed()

    def _is_full(self, context: TurnContext) -> bool:
        _, turns = self._locks.get((context.tenant, context.person), (None, 0))
        return turns >= OF_A_PERSON or self._tenants[context.tenant] >= OF_A_TENANT

    @asynccontextmanager
    async def _lock(self, person: tuple[str, str]) -> AsyncIterator[None]:
        lock, users = self._locks.get(person, (asyncio.Lock(), 0))
        self._locks[person] = (lock, users + 1)
        self._tenants[person[0]] += 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(person)
            if users > 1:
                self._locks[person] = (lock, users - 1)
            self._tenants[person[0]] -= 1
            self._tenants += Counter()  # forgets the tenants that have none
