"""Events that arrive together are stored together: one transaction for all that waited for the one before."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from sync.line_events import CallEvent, EndpointEvent

Event = CallEvent | EndpointEvent
Record = Callable[[str, Sequence[Event]], Awaitable[None]]


class _Arrival:
    def __init__(self, event: Event) -> None:
        self.event = event
        self.is_stored = False


class Inbox:
    """Hands events to ``record``, as many at once as have arrived for an integration."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._arrived: defaultdict[str, list[_Arrival]] = defaultdict(list)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def put(self, integration_id: str, event: Event) -> None:
        """Stored on return, by this call or by one that arrived before. Raises what ``record`` raises."""
        arrival = _Arrival(event)
        self._arrived[integration_id].append(arrival)
        async with self._turns[integration_id]:
            if arrival.is_stored:
                return
            others = [other for other in self._arrived.pop(integration_id, []) if other is not arrival]
            together = [arrival, *others]
            await self._record(integration_id, [each.event for each in together])
            for each in together:
                each.is_stored = True
