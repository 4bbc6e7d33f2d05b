import asyncio
from collections.abc import Collection, Mapping, Sequence

from sync.domain.phone_events import EndpointEvent
from sync.phones.batch_writer import MOST_TOGETHER, BatchWriter, Event


def event(number: int) -> EndpointEvent:
    return EndpointEvent(f"e{number}", "2001", "u", True, "idle", number)


class Book:
    """Takes a moment for each entry, fails as often as it is told to, and leaves out who is ``held``."""

    def __init__(self, failures: int = 0, held: str = "") -> None:
        self.entries: list[dict[str, list[str]]] = []
        self.failures = failures
        self.held = held
        self.released = asyncio.Event()

    async def record(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        if waiting:
            await self.released.wait()
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError
        left_out = set() if waiting else {self.held} & arrived.keys()
        entry = {key: [each.event_id for each in events] for key, events in arrived.items() if key not in left_out}
        self.entries.append(entry)
        return left_out

    @property
    def stored(self) -> list[str]:
        return [name for entry in self.entries for names in entry.values() for name in names]


async def test_what_arrives_while_one_is_stored_is_stored_together_next() -> None:
    book = Book()
    inbox = BatchWriter(book.record)
    first = asyncio.create_task(inbox.put("i1", event(0)))
    await asyncio.sleep(0)
    await asyncio.gather(*(inbox.put(f"i{number % 2}", event(number)) for number in range(1, 20)))
    await first
    assert [sorted(entry) for entry in book.entries] == [["i1"], ["i0", "i1"]]
    assert book.entries[1]["i1"] == [f"e{number}" for number in range(1, 20, 2)]


async def test_however_many_arrive_each_is_stored_once() -> None:
    book = Book()
    inbox = BatchWriter(book.record)
    many = 3 * MOST_TOGETHER
    await asyncio.gather(*(inbox.put("i1", event(number)) for number in range(many)))
    assert sorted(book.stored) == sorted(f"e{number}" for number in range(many))
    assert max(len(names) for entry in book.entries for names in entry.values()) <= MOST_TOGETHER + 1


async def test_an_integration_that_is_held_holds_up_nobody_else() -> None:
    book = Book(held="slow")
    inbox = BatchWriter(book.record)
    slow = asyncio.create_task(inbox.put("slow", event(1)))
    await asyncio.gather(*(inbox.put("quick", event(number)) for number in range(2, 9)))
    assert "e1" not in book.stored
    assert not slow.done()
    book.released.set()
    await slow
    assert sorted(book.stored) == [f"e{number}" for number in range(1, 9)]


async def test_a_failure_is_the_callers_and_loses_nobody_elses_event() -> None:
    book = Book(failures=2)
    inbox = BatchWriter(book.record)
    book.released.set()
    puts = (inbox.put("i1", event(number)) for number in range(10))
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    failed = [number for number, outcome in enumerate(outcomes) if outcome]
    assert len(failed) == 2
    assert {f"e{number}" for number in range(10) if number not in failed} <= set(book.stored)
