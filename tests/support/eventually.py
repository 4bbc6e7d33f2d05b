"""Waiting for the effects of other tasks and processes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

LONGEST_PAUSE = 0.04
"""Seconds between two checks in the end: what is long in coming is asked for less often."""


async def eventually(
    check: Callable[[], bool | Awaitable[bool]], within: float = 60.0, meanwhile: Callable[[], None] | None = None
) -> None:
    """Return as soon as ``check`` returns True; fail if it does not within so many seconds.

    ``meanwhile`` is called after each check that was not true: a fixed clock can go on.
    """
    deadline, pause = monotonic() + within, 0.01
    while not await _holds(check):
        if monotonic() > deadline:
            raise AssertionError(f"did not happen within {within} s")
        if meanwhile:
            meanwhile()
        await asyncio.sleep(pause)
        pause = min(1.2 * pause, 0.02 if meanwhile else LONGEST_PAUSE)


async def _holds(check: Callable[[], bool | Awaitable[bool]]) -> bool:
    found = check()
    return found if isinstance(found, bool) else await found
