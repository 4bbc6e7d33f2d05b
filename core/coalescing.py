"""Questions that arrive while others are being answered are asked together, next."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST = 500


@dataclass(eq=False, slots=True)
class _Question(Generic[Key, Value]):
    key: Key
    is_answered: bool = False
    answer: Value | None = None


class BatchLoader(Generic[Key, Value]):
    """Asks ``find`` for the answers to many keys at once, as many as have arrived."""

    def __init__(self, find: Callable[[Collection[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._find = find
        self._arrived: list[_Question[Key, Value]] = []
        self._turn = asyncio.Lock()

    async def ask(self, key: Key) -> Value | None:
        """The answer as it is now; None for none. Raises what ``find`` raises."""
        question: _Question[Key, Value] = _Question(key)
        self._arrived.append(question)
        async with self._turn:
            if not question.is_answered:
                some, self._arrived = self._arrived[:MOST], self._arrived[MOST:]
                await self._answer([question, *(each for each in some if each is not question)])
        return question.answer

    async def _answer(self, questions: list[_Question[Key, Value]]) -> None:
        found = await self._find({each.key for each in questions})
        for each in questions:
            each.answer, each.is_answered = found.get(each.key), True
