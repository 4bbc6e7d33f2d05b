"""A job for tests of the queues."""

import asyncio


class Work:
    """A job that records its runs, each of which waits for ``go``; the first ``failures`` of them raise."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()
        self.failures = 0

    async def __call__(self, key: str) -> None:
        self.begun.append(key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
            if self.failures:
                self.failures -= 1
                raise ValueError("a secret that must not be logged")
        finally:
            self.at_once -= 1

    async def has_begun(self, times: int) -> bool:
        return len(self.begun) == times
