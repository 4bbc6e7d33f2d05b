"""A job for tests of a queue."""

import asyncio
from collections.abc import Collection, Mapping


async def owner_in_key(keys: Collection[str]) -> Mapping[str, str]:
    """The tenant in front of ``/``; a key without one has no owner."""
    return {key: key.partition("/")[0] for key in keys if "/" in key}


class RecordingJob:
    """A job that records its runs and waits until it is released."""

    def __init__(self) -> None:
        self.started_keys: list[str] = []
        self.concurrent = 0
        self.max_concurrent = 0
        self.released = asyncio.Event()
        self.failures = 0

    async def __call__(self, key: str) -> None:
        self.started_keys.append(key)
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            await self.released.wait()
            if self.failures:
                self.failures -= 1
                raise ValueError("a secret that must not be logged")
        finally:
            self.concurrent -= 1

    async def has_started(self, times: int) -> bool:
        return len(self.started_keys) == times
