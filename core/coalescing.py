"""Coalescing: what arrives while a batch is being processed forms the next batch.

A single request is processed immediately; under load the batches grow, so that a hundred requests cost about as
much as one. ``Batcher`` is the mechanism, ``BatchLoader`` its use for lookups by key. ``Cached`` is for one value
that may be some seconds old.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key")
Value = TypeVar("Value")

LOAD_LIMIT = 500


@dataclass(eq=False, frozen=True, slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result]


class Batcher(Generic[Item, Result]):
    """Processes items in batches of at most ``limit``, one batch at a time, in order of arrival.

    ``process`` returns one result for each item, in the same order.
    """

    def __init__(self, process: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], limit: int) -> None:
        self._process = process
        self._limit = limit
        self._pending: deque[_Entry[Item, Result]] = deque()
        self._lock = asyncio.Lock()

    async def submit(self, item: Item) -> Result:
        """The item's result, from a batch started by this call or by another.

        Raises what ``process`` raises, but only to the call that started the batch: the other calls in it
        process their items again.
        """
        entry: _Entry[Item, Result] = _Entry(item, asyncio.get_running_loop().create_future())
        self._pending.append(entry)
        async with self._lock:
            if not entry.result.done():
                await self._run(self._next_batch(entry))
        return entry.result.result()

    def _next_batch(self, first: _Entry[Item, Result]) -> list[_Entry[Item, Result]]:
        """``first``, which is not pending any more if its batch failed, and the oldest pending entries."""
        batch = [first]
        while self._pending and len(batch) < self._limit:
            entry = self._pending.popleft()
            if entry is not first and not entry.result.done():
                batch.append(entry)
        return batch

    async def _run(self, batch: Sequence[_Entry[Item, Result]]) -> None:
        results = await self._process([entry.item for entry in batch])
        for entry, result in zip(batch, results, strict=True):
            entry.result.set_result(result)


class BatchLoader(Generic[Key, Value]):
    """Looks up keys in batches: ``find`` returns the values of those keys that have one."""

    def __init__(
        self, find: Callable[[Collection[Key]], Awaitable[Mapping[Key, Value]]], limit: int = LOAD_LIMIT
    ) -> None:
        self._find = find
        self._batcher = Batcher(self._load_batch, limit)

    async def load(self, key: Key) -> Value | None:
        """The key's current value, None for none. Raises what ``find`` raises."""
        return await self._batcher.submit(key)

    async def _load_batch(self, keys: Sequence[Key]) -> list[Value | None]:
        found = await self._find(set(keys))
        return [found.get(key) for key in keys]


class Cached(Generic[Value]):
    """What ``load`` returned last, at most ``seconds`` old; concurrent calls wait for the same load."""

    def __init__(
        self, load: Callable[[], Awaitable[Value]], seconds: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._loaded: tuple[float, Value] | None = None

    async def get(self) -> Value:
        """Raises what ``load`` raises; the next call loads again."""
        async with self._lock:
            if self._loaded is None or self._clock() - self._loaded[0] >= self._seconds:
                self._loaded = None
                value = await self._load()
                self._loaded = self._clock(), value
            return self._loaded[1]
