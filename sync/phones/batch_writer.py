"""Events that arrive together are stored together: one transaction for all that waited for the one before.

Whose integration somebody else is at work on does not hold up the others: their events are stored by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.grouping import grouped
from sync.domain.phone_events import CallEvent, EndpointEvent

Event = CallEvent | EndpointEvent

MOST_TOGETHER = 100


class Record(Protocol):
    async def __call__(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        """Store events, by integration; returns the integrations that were left out, none when ``waiting``."""
        ...


@dataclass(eq=False, slots=True)
class _Arrival:
    integration_id: str
    event: Event
    is_stored: bool = False
    is_left_out: bool = False


class BatchWriter:
    """Hands events to ``record``, as many at once as have arrived."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._arrived: deque[_Arrival] = deque()
        self._turn = asyncio.Lock()

    async def put(self, integration_id: str, event: Event) -> None:
        """Stored on return, by this call or by one that arrived before. Raises what ``record`` raises."""
        arrival = _Arrival(integration_id, event)
        self._arrived.append(arrival)
        async with self._turn:
            if not arrival.is_stored and not arrival.is_left_out:
                await self._store([arrival, *self._others(arrival)])
        if arrival.is_left_out:
            await self._record({integration_id: [event]}, waiting=True)

    def _others(self, arrival: _Arrival) -> list[_Arrival]:
        """Who arrived meanwhile, the first first."""
        others: list[_Arrival] = []
        while self._arrived and len(others) < MOST_TOGETHER:
            other = self._arrived.popleft()
            if other is not arrival:
                others.append(other)
        return others

    async def _store(self, together: Sequence[_Arrival]) -> None:
        by_integration = grouped(together, lambda each: each.integration_id)
        events = {key: [each.event for each in some] for key, some in by_integration.items()}
        left_out = await self._record(events, waiting=False)
        for each in together:
            each.is_left_out = each.integration_id in left_out
            each.is_stored = not each.is_left_out
