import asyncio
from collections.abc import Collection, Sequence

import pytest

from core.coalescing import LOAD_LIMIT, Batcher, BatchLoader, Cached


class Squares:
    """Finds the squares of even numbers, after a moment; the first ``failures`` calls raise an error."""

    def __init__(self, failures: int = 0) -> None:
        self.batch_sizes: list[int] = []
        self.failures = failures

    async def find(self, numbers: Collection[int]) -> dict[int, int]:
        self.batch_sizes.append(len(numbers))
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError
        return {number: number**2 for number in numbers if number % 2 == 0}


async def test_a_single_key_is_loaded_immediately_and_those_that_arrive_during_it_in_one_batch() -> None:
    squares = Squares()
    loader = BatchLoader(squares.find)
    assert await asyncio.gather(*(loader.load(number) for number in range(6))) == [0, None, 4, None, 16, None]
    assert squares.batch_sizes == [1, 5]
    first = asyncio.create_task(loader.load(8))
    await asyncio.sleep(0)
    await asyncio.gather(first, *(loader.load(2) for _ in range(9)))
    assert squares.batch_sizes == [1, 5, 1, 1]


async def test_batches_are_bounded_and_every_key_is_loaded() -> None:
    squares = Squares()
    loader = BatchLoader(squares.find)
    numbers = range(0, 4 * LOAD_LIMIT, 2)
    assert await asyncio.gather(*(loader.load(number) for number in numbers)) == [n**2 for n in numbers]
    assert max(squares.batch_sizes) <= LOAD_LIMIT


async def test_only_the_call_that_started_a_failing_batch_gets_the_error() -> None:
    loader = BatchLoader(Squares(failures=1).find)
    outcomes = await asyncio.gather(*(loader.load(number) for number in (2, 4, 6)), return_exceptions=True)
    assert isinstance(outcomes[0], OSError)
    assert outcomes[1:] == [16, 36]


async def test_items_are_processed_once_in_order_of_arrival_even_if_their_callers_are_cancelled() -> None:
    processed: list[int] = []

    async def process(items: Sequence[int]) -> list[int]:
        await asyncio.sleep(0.001)
        processed.extend(items)
        return list(items)

    batcher = Batcher(process, limit=3)
    calls = [asyncio.create_task(batcher.submit(number)) for number in range(12)]
    await asyncio.sleep(0)
    for call in calls[1:8]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [outcomes[0], *outcomes[8:]] == [0, 8, 9, 10, 11]
    assert len(processed) == len(set(processed))
    assert {0, 8, 9, 10, 11} <= set(processed)


async def test_a_cached_value_is_loaded_once_for_all_who_ask_and_again_when_it_is_old() -> None:
    now, loads = 0.0, 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return loads

    cached = Cached(load, 5, lambda: now)
    assert await asyncio.gather(*(cached.get() for _ in range(9))) == [1] * 9
    now = 4.9
    assert await cached.get() == 1
    now = 5.0
    assert await cached.get() == 2


async def test_a_failed_load_is_tried_again() -> None:
    results = iter([ValueError(), 7])

    async def load() -> int:
        match next(results):
            case int(value):
                return value
        raise ValueError

    cached = Cached(load, 5)
    with pytest.raises(ValueError):
        await cached.get()
    assert await cached.get() == 7
