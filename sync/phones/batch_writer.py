"""Events are stored in batches: one transaction for all that arrived while the batch before was being stored.

An integration that another transaction has locked does not delay the others: it is left out of the batch, and its
events are stored separately.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from core.coalescing import Batcher
from core.grouping import grouped
from sync.domain.phone_events import Event

BATCH = 100

Arrival = tuple[str, Event]
"""An integration's id and an event of one of its phones."""


class ApplyEvents(Protocol):
    """``EventIngestor.apply_events``."""

    async def __call__(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        """Store events, by integration; returns the integrations that were left out, none when ``waiting``."""
        ...


class BatchWriter:
    """Stores single events through ``apply_events``, in batches of at most ``BATCH``."""

    def __init__(self, apply_events: ApplyEvents) -> None:
        self._apply_events = apply_events
        self._batcher = Batcher(self._write_batch, BATCH)

    async def write(self, integration_id: str, event: Event) -> None:
        """The event is stored on return. Raises what ``apply_events`` raises."""
        if not await self._batcher.submit((integration_id, event)):
            await self._apply_events({integration_id: [event]}, waiting=True)

    async def _write_batch(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Whether each was stored."""
        by_integration = grouped(arrivals, lambda arrival: arrival[0])
        events = {key: [event for _, event in rows] for key, rows in by_integration.items()}
        left_out = await self._apply_events(events, waiting=False)
        return [integration_id not in left_out for integration_id, _ in arrivals]
