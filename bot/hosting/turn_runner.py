"""Runs the handler of each turn, and goes on with a slow one after its request was answered."""

import asyncio
import traceback
from pathlib import Path
from uuid import uuid4

import structlog

from bot.activity import Handler, Turn
from core.correlation import caused
from core.errors import CloudLinkPresenceError
from core.logging import describe_error
from core.shutdown import ShutdownDeadline

log = structlog.get_logger()

ANSWER_SECONDS = 8.0
"""Teams gives up on an invoke after ten seconds and shows an error."""


class TurnFailed(CloudLinkPresenceError):
    """The handler raised; ``reference`` is under which the log tells of it."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class TurnRunner:
    """The turns under way. What a slow turn shows last still reaches the stored message."""

    def __init__(self, handler: Handler, answer_seconds: float, deadline: ShutdownDeadline) -> None:
        self._handler = handler
        self._deadline = deadline
        self._answer_seconds = answer_seconds
        self._tasks: set[asyncio.Task[str]] = set()

    async def run(self, turn: Turn, *, to_its_end: bool) -> None:
        """Returns when the turn is over or, unless ``to_its_end``, too slow to wait for. Raises ``TurnFailed``."""
        task = asyncio.create_task(self._guarded(turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=None if to_its_end else self._answer_seconds)
        if task.done() and not task.cancelled() and task.result():
            raise TurnFailed(task.result())

    async def _guarded(self, turn: Turn) -> str:
        """Empty, or the reference of the failure: its type and place are logged, never what the turn carried."""
        with caused():
            try:
                await self._handler(turn)
            except Exception as error:
                return log_failure(error)
        return ""

    async def close(self) -> None:
        """Lets the turns under way finish, for a while."""
        if not self._tasks:
            return
        _, unfinished = await asyncio.wait(self._tasks, timeout=self._deadline.left)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


def log_failure(error: Exception) -> str:
    reference = uuid4().hex[:12]
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    log.error("turn_failed", reference=reference, error=describe_error(error), where=where)
    return reference
