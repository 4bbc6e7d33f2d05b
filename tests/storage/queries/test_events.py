from datetime import timedelta
from functools import partial
from pathlib import Path

from storage.flow import queries
from storage.queries import events
from storage.tables.people import Call
from storage.transaction import Transaction
from tests.support.clocks import NOON
from tests.support.storage.people_rows import calls_by_person
from tests.support.storage.stores import empty_store, integration, person, stored


async def test_an_event_is_a_duplicate_for_its_integration_alone_until_it_is_old(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"))

        async def mark_seen(*names: tuple[str, str]) -> set[tuple[str, str]]:
            return await database.transact(lambda transaction: queries.mark_seen(transaction, names, NOON))

        assert await mark_seen() == set()
        assert await mark_seen(("i1", "a"), ("i1", "b")) == {("i1", "a"), ("i1", "b")}
        assert await mark_seen(("i1", "b"), ("i1", "c"), ("i2", "b")) == {("i1", "c"), ("i2", "b")}
        async with database.writing() as session:
            await events.delete_seen(session, NOON + timedelta(seconds=1))
        assert await mark_seen(("i1", "a")) == {("i1", "a")}


async def test_only_ended_calls_are_deleted(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person())
        for name, state in (("over", "ended"), ("on", "connected")):
            await stored(
                database, Call(person_id="p1", extension="ext p1", call_id=name, state=state, at=1, heard_at=NOON)
            )
        async with database.writing() as session:
            await events.delete_ended_calls(session, NOON + timedelta(days=1), "ended")
            calls = await calls_by_person(session, ["p1"])
        assert [call.call_id for call in calls["p1"]] == ["on"]


async def test_of_ended_calls_only_the_named_are_read(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person())
        for name, state in (("over", "ended"), ("long over", "ended"), ("on", "connected")):
            await stored(
                database, Call(person_id="p1", extension="ext p1", call_id=name, state=state, at=1, heard_at=NOON)
            )
        calls = await database.transact(lambda one: queries.calls_of(one, ["p1"], "ended", ["over", "new"]))
        assert {call.call_id for call in calls} == {"on", "over"}


def add_unknown_states(transaction: Transaction, counts: dict[str, int]) -> None:
    queries.add_unknown_states(transaction, "i1", counts, NOON)


async def test_unknown_states_are_counted_and_only_so_many_names_kept(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        for counts in ({"odd": 2}, {"odd": 1, "new": 1}, {f"name {number}": 1 for number in range(100)}):
            await database.transact(partial(add_unknown_states, counts=counts))
        async with database.session() as session:
            known = await events.list_unknown_states(session, "i1")
        assert known[0] == ("odd", 3)
        assert len(known) == events.MAX_UNKNOWN_STATES
