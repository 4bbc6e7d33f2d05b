"""Waiting for the effects of other tasks and processes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic


async def eventually(
    check: Callable[[], bool | Awaitable[bool]], within: float = 60.0, meanwhile: Callable[[], None] | None = None
) -> None:
    """Return as soon as ``check`` returns True; fail if it does not within so many seconds.

    ``meanwhile`` is called after each check that was not true: a fixed clock can go on.
    """
    deadline = monotonic() + within
    while not await _holds(check):
        if monotonic() > deadline:
            raise AssertionError(f"did not happen within {within} s")
        if meanwhile:
            meanwhile()
        await asyncio.sleep(0.02)


async def _holds(check: Callable[[], bool | Awaitable[bool]]) -> bool:
    found = check()
    return found if isinstance(found, bool) else await found
