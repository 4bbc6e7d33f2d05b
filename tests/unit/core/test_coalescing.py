import asyncio
from collections.abc import Collection

from core.coalescing import MOST, BatchLoader


class Oracle:
    """Knows squares of even numbers, after a while; and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.asked: list[int] = []
        self.failures = failures

    async def squares(self, numbers: Collection[int]) -> dict[int, int]:
        self.asked.append(len(numbers))
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError
        return {number: number**2 for number in numbers if number % 2 == 0}


async def test_a_question_alone_is_asked_at_once_and_what_arrives_meanwhile_is_asked_together() -> None:
    oracle = Oracle()
    together = BatchLoader(oracle.squares)
    assert await asyncio.gather(*(together.ask(number) for number in range(6))) == [0, None, 4, None, 16, None]
    assert oracle.asked == [1, 5]
    first = asyncio.create_task(together.ask(8))
    await asyncio.sleep(0)
    await asyncio.gather(first, *(together.ask(2) for _ in range(9)))
    assert oracle.asked == [1, 5, 1, 1]


async def test_more_than_are_asked_at_once_are_all_answered() -> None:
    oracle = Oracle()
    together = BatchLoader(oracle.squares)
    many = range(0, 4 * MOST, 2)
    assert await asyncio.gather(*(together.ask(number) for number in many)) == [number**2 for number in many]
    assert max(oracle.asked) <= MOST + 1


async def test_a_failure_is_the_askers_and_the_others_ask_again() -> None:
    together = BatchLoader(Oracle(failures=1).squares)
    outcomes = await asyncio.gather(*(together.ask(number) for number in (2, 4, 6)), return_exceptions=True)
    assert isinstance(outcomes[0], OSError)
    assert outcomes[1:] == [16, 36]
