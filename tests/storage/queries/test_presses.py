from datetime import timedelta
from pathlib import Path

from storage.database import Database
from storage.queries.chat import presses
from storage.tables.conversations import Press
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store


def press(stamp: str = "card", verb: str = "enable.now", tenant: str = "t1", by: str = "Ana") -> Press:
    return Press(owner_tenant=tenant, stamp=stamp, verb=verb, pressed_by=by, at=NOON)


async def claimed(database: Database, made: Press) -> str:
    """Who pressed first, if it was another person."""
    async with database.writing() as session:
        first = await presses.claim(session, made)
    return first.pressed_by if first else ""


async def test_the_first_press_of_a_button_is_known(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        assert await claimed(database, press()) == ""
        assert await claimed(database, press(by="Rui")) == "Ana"
        for other in (press(stamp="another"), press(verb="disable.now"), press(tenant="t2")):
            assert await claimed(database, other) == ""


async def test_a_released_or_very_old_press_is_deleted(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await claimed(database, press())
        await claimed(database, press(stamp="another"))
        async with database.writing() as session:
            await presses.release(session, press())
        assert await claimed(database, press()) == ""
        async with database.writing() as session:
            await presses.delete_older_than(session, NOON)
        assert await claimed(database, press(stamp="another")) == "Ana"
        async with database.writing() as session:
            await presses.delete_older_than(session, NOON + timedelta(seconds=1))
        assert await claimed(database, press(stamp="another")) == ""
