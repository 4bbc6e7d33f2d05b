"""When a process reads which phones: evenly, so that what phones report never waits behind what they are asked.

After a start everybody is to be asked. Each integration's next chunk of phones gets a time of its own, in the order
of asking; while the event loop is late, chunks are put off.
"""

import asyncio
from datetime import datetime, timedelta

from core.clock import Clock

CHUNKS_A_SECOND = 4
"""Chunks that a process reads on average, of all integrations: about a quarter of a processor."""

LATE = 0.05
"""Seconds by which the event loop may be late before what can wait is put off."""

PUT_OFF = 3
"""How often a chunk is put off; then it is read whatever else there is to do, so that polls never stop."""


class PollPace:
    """Plans the chunks that this process reads. ``steady`` is a clock that is never set, ``late`` in seconds."""

    def __init__(self, steady: Clock, late: float = LATE) -> None:
        self._steady = steady
        self._late = late
        self._free_at = steady()
        self._planned: dict[str, datetime] = {}
        self._put_off: dict[str, int] = {}

    def plan(self, integration_id: str, pause: timedelta = timedelta(0)) -> timedelta:
        """In how long to read its next chunk, after ``pause`` at the earliest; what is planned already stays so."""
        now = self._steady()
        at = self._planned.get(integration_id)
        if at is None or at < now:
            free = max(self._free_at, now)
            self._free_at = free + timedelta(seconds=1 / CHUNKS_A_SECOND)
            at = self._planned[integration_id] = max(free, now + pause)
        return at - now

    async def may_begin(self, integration_id: str) -> bool:
        """The chunk's time has come. False: others wait too and the loop is late, so it is to be planned again."""
        self._planned.pop(integration_id, None)
        times = self._put_off.pop(integration_id, 0)
        is_crowded = self._free_at > self._steady() + timedelta(seconds=1)
        if times >= PUT_OFF or not is_crowded or await _turn_of_the_loop() <= self._late:
            return True
        self._put_off[integration_id] = times + 1
        return False


async def _turn_of_the_loop() -> float:
    """How long the event loop takes, in seconds, until it has run everything that is ready."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return loop.time() - began
