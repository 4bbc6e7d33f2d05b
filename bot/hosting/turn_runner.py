"""Runs the handler for each turn; a slow turn continues after its request was answered."""

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
    """The handler raised; ``reference`` identifies the failure in the log."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class TurnRunner:
    """Tracks the open turns. The last card of a slow turn still reaches the stored message."""

    def __init__(self, handler: Handler, answer_seconds: float, deadline: ShutdownDeadline) -> None:
        self._handler = handler
        self._deadline = deadline
        self._answer_seconds = answer_seconds
        self._tasks: set[asyncio.Task[str]] = set()

    async def run(self, turn: Turn, *, until_done: bool) -> None:
        """Return when the turn ends or, unless ``until_done``, after ``answer_seconds``. Raises ``TurnFailed``."""
        task = asyncio.create_task(self._guarded(turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=None if until_done else self._answer_seconds)
        if task.done() and not task.cancelled() and task.result():
            raise TurnFailed(task.result())

    async def _guarded(self, turn: Turn) -> str:
        """Empty, or the failure's reference. Only the error's type and place are logged, not the content."""
        with caused():
            try:
                await self._handler(turn)
            except Exception as error:
                return log_failure(error)
        return ""

    async def close(self) -> None:
        """Let open turns finish until the shutdown deadline, then cancel them."""
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
