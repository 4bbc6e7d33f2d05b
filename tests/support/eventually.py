"""Waiting for the effects of other tasks and processes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic


async def eventually(check: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    """Return as soon as ``check`` holds; fail if it does not within so many seconds."""
    deadline = monotonic() + within
    while not await check():
        if monotonic() > deadline:
            raise AssertionError(f"did not come about within {within} s")
        await asyncio.sleep(0.02)
