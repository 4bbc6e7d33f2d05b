from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

from storage.queries.health import notices
from storage.queries.health.notices import State
from storage.tables.notices import Notice
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, stored

OLD, RECENTLY = NOON - timedelta(days=30), NOON - timedelta(days=7)


def notice(name: str, topic: str, state: State, **values: Any) -> Notice:
    given = {"integration_id": "i1", "owner_tenant": "t1", "audience": "ada", "created_at": OLD, "stage": name}
    return Notice(id=name, topic=topic, state=state.value, **{**given, **values})


async def test_notices_finished_long_ago_are_left_out(tmp_path: Path) -> None:
    kept = [
        notice("open", "problem", State.SENT),
        notice("waits", "clear", State.WAITING),
        notice("being sent", "clear", State.SENDING),
        notice("not reached", "clear", State.UNREACHABLE),
        notice("being closed", "problem", State.CLOSING, closed_at=OLD),
        notice("closed recently", "problem", State.CLOSED, closed_at=NOON),
        notice("sent recently", "clear", State.SENT, created_at=NOON),
        notice("dropped recently", "problem", State.DROPPED, created_at=NOON),
    ]
    left_out = [
        notice("sent", "clear", State.SENT),
        notice("closed", "problem", State.CLOSED, closed_at=OLD),
        notice("dropped", "problem", State.DROPPED),
    ]
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"), integration(id="i3"))
        elsewhere = notice("elsewhere", "problem", State.SENT, integration_id="i2")
        unrequested = notice("not requested", "problem", State.SENT, integration_id="i3")
        await stored(database, *kept, *left_out, elsewhere, unrequested)
        async with database.session() as session:
            found = await notices.list_relevant(session, ["i1", "i2"], RECENTLY, ["problem"])
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
            assert (await session.exec(select(Notice.id))).all() == ["a"]
