import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from storage.database import Database
from storage.queries.chat import presses
from storage.queries.chat.presses import ABANDONED_AFTER
from storage.tables.conversations import Press
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store


def press(
    stamp: str = "card",
    verb: str = "enable.now",
    tenant: str = "t1",
    by: str = "Ana",
    process: str = "a",
    at: datetime = NOON,
) -> Press:
    return Press(owner_tenant=tenant, stamp=stamp, verb=verb, pressed_by=by, locked_by=process, at=at)


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


async def test_what_another_process_did_not_end_is_done_again(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        waits = timedelta() if database.is_sqlite else ABANDONED_AFTER
        assert await claimed(database, press(process="a")) == ""
        assert await claimed(database, press(by="Rui", process="a", at=NOON + ABANDONED_AFTER)) == "Ana"
        if not database.is_sqlite:
            assert await claimed(database, press(by="Rui", process="b", at=NOON + waits / 2)) == "Ana"
        assert await claimed(database, press(by="Rui", process="b", at=NOON + waits)) == ""
        async with database.writing() as session:
            await presses.release(session, press(process="a"))
            await presses.finish(session, press(process="a"))
        assert await claimed(database, press(process="b", at=NOON + waits)) == "Rui"
        async with database.writing() as session:
            await presses.finish(session, press(process="b"))
        assert await claimed(database, press(process="c", at=NOON + 3 * ABANDONED_AFTER)) == "Rui"


async def test_of_those_who_take_an_act_over_together_one_does_it(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await claimed(database, press(process="a"))
        later = [
            press(by=name, process="b" if database.is_sqlite else name, at=NOON + ABANDONED_AFTER)
            for name in ("Rui", "Eva", "Ivo")
        ]
        firsts = await asyncio.gather(*(claimed(database, each) for each in later))
        assert firsts.count("") == 1
        assert set(firsts) - {""} == {later[firsts.index("")].pressed_by}
