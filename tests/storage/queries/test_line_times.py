"""A day of people's lines, replayed with other mappings; on both databases."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.queries.people import line_times
from storage.queries.people.mapping import WITHOUT_DND, Mappings
from storage.tables.people import LineTime
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored

CALL, BUSY = "Busy/InACall", "DoNotDisturb/Presenting"
OWN = {"on_call": CALL, "do_not_disturb": BUSY, "ringing": None}
TODAY, YESTERDAY = NOON.date(), NOON.date() - timedelta(days=1)
STALE = NOON - timedelta(hours=1)


def spent(name: str, state: str, seconds: int, day: Any = YESTERDAY, at: str = "i1") -> LineTime:
    return LineTime(integration_id=at, day=day.isoformat(), person_id=name, state=state, seconds=seconds)


async def test_a_day_is_replayed_by_the_mapping_that_applies_to_each(tmp_path: Path) -> None:
    before = Mappings(OWN, {"m1": {**OWN, "on_call": None}})
    after = Mappings({**OWN, "on_call": None, "ringing": CALL}, before.further)
    hour_ago = int(NOON.timestamp()) - 3600
    long_ago = int((NOON - timedelta(days=2)).timestamp())
    async with empty_store(tmp_path) as database:
        await stored(
            database,
            integration(),
            integration(id="i2"),
            person("ana"),
            person("gil", line="do_not_disturb", line_since=long_ago, heard_at=NOON),
            person("eva", mapping="m1", chosen_mapping="m1"),
            person("out", excluded=True),
            person("rui", line="on_call", line_since=hour_ago, heard_at=NOON),
            person("old", line="on_call", line_since=hour_ago, heard_at=STALE - timedelta(minutes=1)),
            person("zoe", integration_id="i2"),
            *(spent(name, "on_call", 2460) for name in ("ana", "eva", "out")),
            *(spent("ana", "ringing", 60), spent("ana", "do_not_disturb", 999), spent("ana", "on_call", 50, TODAY)),
            spent("zoe", "on_call", 99, at="i2"),
            spent("rui", "do_not_disturb", 29),
        )
        async with database.session() as session:
            assert await line_times.newest_day(session, "i1", TODAY) == YESTERDAY
            assert await line_times.newest_day(session, "i1", YESTERDAY) == YESTERDAY
            totals, first = await line_times.replay(session, "i1", (before, after), YESTERDAY, NOON, STALE, 2)
            assert totals == [(CALL, None, 2460, 1), (None, CALL, 60, 1)]
            assert first == [("ana", CALL, None, 2460), ("ana", None, CALL, 60)]
            totals, first = await line_times.replay(session, "i1", (before, after), TODAY, NOON, STALE, 9)
            assert first == [("rui", CALL, None, 3600), ("ana", CALL, None, 50)]
            silent = Mappings({**OWN, "do_not_disturb": None})
            _, first = await line_times.replay(session, "i1", (before, silent), YESTERDAY, NOON, STALE, 9)
            assert first[0] == ("gil", BUSY, None, 24 * 3600)
            left = Mappings({**OWN, "do_not_disturb": WITHOUT_DND, "idle": CALL, "on_call": CALL})
            _, first = await line_times.replay(session, "i1", (before, left), YESTERDAY, NOON, STALE, 9)
            assert first[0] == ("gil", BUSY, CALL, 24 * 3600)
        async with database.writing() as session:
            await line_times.delete_before(session, TODAY)
        async with database.session() as session:
            assert await line_times.newest_day(session, "i1", TODAY) == TODAY
