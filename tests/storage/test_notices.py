from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.queries import notices
from storage.queries.notices import State
from storage.tables.notices import Notice
from tests.support.clocks import NOON
from tests.support.stores import empty_store, integration, stored

OLD, LATELY = NOON - timedelta(days=30), NOON - timedelta(days=7)


def notice(name: str, topic: str, state: State, **values: Any) -> Notice:
    given = {"integration_id": "i1", "owner_tenant": "t1", "audience": "ada", "created_at": OLD, "stage": name}
    return Notice(id=name, topic=topic, state=state.value, **{**given, **values})


async def test_notices_finished_long_ago_are_left_out(tmp_path: Path) -> None:
    kept = [
        notice("open", "problem", State.SENT),
        notice("waits", "clear", State.WAITING),
        notice("under way", "clear", State.SENDING),
        notice("not reached", "clear", State.UNREACHABLE),
        notice("being closed", "problem", State.CLOSING, closed_at=OLD),
        notice("closed lately", "problem", State.CLOSED, closed_at=NOON),
        notice("sent lately", "clear", State.SENT, created_at=NOON),
        notice("dropped lately", "problem", State.DROPPED, created_at=NOON),
    ]
    left_out = [
        notice("sent", "clear", State.SENT),
        notice("closed", "problem", State.CLOSED, closed_at=OLD),
        notice("dropped", "problem", State.DROPPED),
    ]
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"), integration(id="i3"))
        elsewhere = notice("elsewhere", "problem", State.SENT, integration_id="i2")
        asked_not = notice("not asked for", "problem", State.SENT, integration_id="i3")
        await stored(database, *kept, *left_out, elsewhere, asked_not)
        async with database.session() as session:
            found = await notices.list_relevant(session, ["i1", "i2"], LATELY, ["problem"])
        assert {key: {row.id for row in rows} for key, rows in found.items()} == {
            "i1": {row.id for row in kept},
            "i2": {"elsewhere"},
        }


async def test_a_notice_is_stored_once_however_often_it_is_added(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        for rows in ([], [notice("a", "expiry", State.WAITING)], [notice("b", "expiry", State.WAITING, stage="a")]):
            async with database.writing() as session:
                await notices.add_new(session, rows)
        async with database.session() as session:
            assert [row.id for row in await notices.list_by_integration(session, "i1")] == ["a"]
