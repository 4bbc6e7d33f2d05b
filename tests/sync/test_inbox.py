import asyncio
from collections.abc import Sequence

from sync.inbox import Event, Inbox
from sync.line_events import EndpointEvent


def event(number: int) -> EndpointEvent:
    return EndpointEvent(f"e{number}", "2001", "u", True, "idle", number)


class Book:
    """Takes a moment for each entry, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.entries: list[tuple[str, list[str]]] = []
        self.failures = failures

    async def record(self, integration_id: str, events: Sequence[Event]) -> None:
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError
        self.entries.append((integration_id, [each.event_id for each in events]))


async def test_what_arrives_while_one_is_stored_is_stored_together_next() -> None:
    book = Book()
    inbox = Inbox(book.record)
    first = asyncio.create_task(inbox.put("i1", event(0)))
    await asyncio.sleep(0)
    await asyncio.gather(*(inbox.put("i1", event(number)) for number in range(1, 20)))
    await first
    assert [len(events) for _, events in book.entries] == [1, 19]


async def test_integrations_do_not_mix() -> None:
    book = Book()
    inbox = Inbox(book.record)
    await asyncio.gather(inbox.put("i1", event(1)), inbox.put("i2", event(2)))
    assert sorted(book.entries) == [("i1", ["e1"]), ("i2", ["e2"])]


async def test_a_failure_is_the_callers_and_loses_nobody_elses_event() -> None:
    book = Book(failures=2)
    inbox = Inbox(book.record)
    puts = (inbox.put("i1", event(number)) for number in range(10))
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    failed = [number for number, outcome in enumerate(outcomes) if outcome]
    stored = {name for _, events in book.entries for name in events}
    assert len(failed) == 2
    assert {f"e{number}" for number in range(10) if number not in failed} <= stored
