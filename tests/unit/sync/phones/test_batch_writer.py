import asyncio
from collections.abc import Collection, Mapping, Sequence

from sync.domain.phone_events import EndpointEvent, Event
from sync.phones.batch_writer import BATCH, BatchWriter


def event(number: int) -> EndpointEvent:
    return EndpointEvent(f"e{number}", "2001", "u", True, "idle", number)


class Store:
    """Stores batches, each after a moment. The first ``failures`` calls raise; ``locked`` is left out."""

    def __init__(self, failures: int = 0, locked: str = "") -> None:
        self.batches: list[dict[str, list[str]]] = []
        self.failures = failures
        self.locked = locked
        self.unlocked = asyncio.Event()

    async def apply_events(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        if waiting:
            await self.unlocked.wait()
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OSError
        left_out = set() if waiting else {self.locked} & arrived.keys()
        batch = {key: [each.event_id for each in events] for key, events in arrived.items() if key not in left_out}
        self.batches.append(batch)
        return left_out

    @property
    def event_ids(self) -> list[str]:
        return [event_id for batch in self.batches for ids in batch.values() for event_id in ids]


async def test_events_that_arrive_while_a_batch_is_stored_form_the_next_batch() -> None:
    store = Store()
    writer = BatchWriter(store.apply_events)
    first = asyncio.create_task(writer.write("i1", event(0)))
    await asyncio.sleep(0)
    await asyncio.gather(*(writer.write(f"i{number % 2}", event(number)) for number in range(1, 20)))
    await first
    assert [sorted(batch) for batch in store.batches] == [["i1"], ["i0", "i1"]]
    assert store.batches[1]["i1"] == [f"e{number}" for number in range(1, 20, 2)]


async def test_every_event_is_stored_once_in_bounded_batches() -> None:
    store = Store()
    writer = BatchWriter(store.apply_events)
    count = 3 * BATCH
    await asyncio.gather(*(writer.write("i1", event(number)) for number in range(count)))
    assert sorted(store.event_ids) == sorted(f"e{number}" for number in range(count))
    assert max(len(ids) for batch in store.batches for ids in batch.values()) <= BATCH


async def test_a_locked_integration_does_not_delay_the_others() -> None:
    store = Store(locked="slow")
    writer = BatchWriter(store.apply_events)
    slow = asyncio.create_task(writer.write("slow", event(1)))
    await asyncio.gather(*(writer.write("quick", event(number)) for number in range(2, 9)))
    assert "e1" not in store.event_ids
    assert not slow.done()
    store.unlocked.set()
    await slow
    assert sorted(store.event_ids) == [f"e{number}" for number in range(1, 9)]


async def test_only_the_call_that_started_a_failing_batch_gets_the_error_and_the_other_events_are_stored() -> None:
    store = Store(failures=2)
    writer = BatchWriter(store.apply_events)
    store.unlocked.set()
    writes = (writer.write("i1", event(number)) for number in range(10))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    failed = [number for number, outcome in enumerate(outcomes) if outcome]
    assert len(failed) == 2
    assert {f"e{number}" for number in range(10) if number not in failed} <= set(store.event_ids)
