"""One turn at a time for each person."""

import asyncio

from bot.activity import Message
from bot.chat.turn_queue import TurnQueue
from tests.support.bot.chat import Chat


async def test_the_second_turn_of_a_person_waits_for_the_first_and_another_persons_does_not(chat: Chat) -> None:
    queue, order, release = TurnQueue(), list[str](), asyncio.Event()

    async def slow() -> None:
        await release.wait()
        order.append("first")

    async def second() -> None:
        order.append("second")

    async def other() -> None:
        order.append("other")

    mine = chat.context(Message("help"))
    waiting = [asyncio.create_task(queue(mine, proceed)) for proceed in (slow, second)]
    await asyncio.sleep(0)
    chat.person = "another-person"
    await queue(chat.context(Message("help")), other)
    release.set()
    await asyncio.gather(*waiting)
    assert order == ["other", "first", "second"]


async def test_an_unused_queue_is_removed_even_after_an_error(chat: Chat) -> None:
    queue = TurnQueue()

    async def fail() -> None:
        raise RuntimeError

    (result,) = await asyncio.gather(queue(chat.context(Message("help")), fail), return_exceptions=True)
    assert isinstance(result, RuntimeError)
    assert queue._locks == {}
