"""Many who matched and suddenly do not: one problem, over when they match again."""

from collections.abc import Collection
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries import problems
from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.people import unmatched_alert
from tests.support.clocks import NOON
from tests.support.stores import empty_store, integration, person, stored

pytestmark = pytest.mark.usefixtures("each_database")


def people(count: int, lost: Collection[int] = ()) -> list[Person]:
    return [person(f"p{n}", teams_user_id=None if n in lost else f"t{n}") for n in range(count)]


async def read(database: Database, count: int, before: Collection[int], lost: Collection[int]) -> list[Problem]:
    """A reading of ``count`` people of whom ``before`` did not match before, and ``lost`` do not now."""
    was_matched = {f"p{n}" for n in range(count) if n not in before}
    async with database.writing() as session:
        await unmatched_alert.note(session, "i1", was_matched, people(count, lost), NOON)
    async with database.session() as session:
        return await problems.list_open(session, "i1")


@pytest.mark.parametrize(
    ("count", "lost", "raised"), [(10, 3, 0), (10, 4, 1), (100, 10, 0), (100, 11, 1), (0, 0, 0)]
)
async def test_more_than_a_few_and_a_tenth_raise_it(tmp_path: Path, count: int, lost: int, raised: int) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        assert len(await read(database, count, (), range(lost))) == raised


async def test_those_who_never_matched_do_not_count(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        assert await read(database, 20, range(9), range(9)) == []


async def test_it_lasts_until_enough_match_again_and_is_one_problem(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        (raised,) = await read(database, 20, (), range(8))
        assert raised.facts["people"] == 8
        (same,) = await read(database, 20, range(8), range(8))
        (grown,) = await read(database, 20, range(8), range(9))
        assert same.id == grown.id == raised.id
        assert grown.facts["people"] == 9
        (shrunk,) = await read(database, 20, range(9), range(4))
        assert shrunk.facts["people"] == 4
        assert await read(database, 20, range(4), range(3)) == []
