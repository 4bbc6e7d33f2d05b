"""Many people suddenly do not match: one problem, closed when they match again."""

from collections.abc import Collection
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries.health import problems
from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.people import unmatched_alert
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, person, stored

pytestmark = pytest.mark.usefixtures("each_database")


def people(count: int, lost: Collection[int] = ()) -> list[Person]:
    return [person(f"p{n}", teams_user_id=None if n in lost else f"t{n}") for n in range(count)]


async def check(database: Database, count: int, before: Collection[int], lost: Collection[int]) -> list[Problem]:
    """Check ``count`` people: ``before`` are those unmatched before, ``lost`` those unmatched now."""
    newly = [f"p{n}" for n in lost if n not in before]
    async with database.writing() as session:
        for row in people(count, lost):
            await session.merge(row)
        await unmatched_alert.check(session, "i1", count - len(before), newly, NOON)
    async with database.session() as session:
        return await problems.list_open(session, "i1")


@pytest.mark.parametrize(
    ("count", "lost", "expected"), [(10, 3, 0), (10, 4, 1), (100, 10, 0), (100, 11, 1), (0, 0, 0)]
)
async def test_losing_more_than_a_few_and_a_tenth_opens_a_problem(
    tmp_path: Path, count: int, lost: int, expected: int
) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        assert len(await check(database, count, (), range(lost))) == expected


async def test_people_who_never_matched_do_not_count(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        assert await check(database, 20, range(9), range(9)) == []


async def test_it_is_one_problem_until_enough_people_match_again(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        (opened,) = await check(database, 20, (), range(8))
        assert opened.facts["people"] == 8
        (same,) = await check(database, 20, range(8), range(8))
        (grown,) = await check(database, 20, range(8), range(9))
        assert same.id == grown.id == opened.id
        assert grown.facts["people"] == 9
        (shrunk,) = await check(database, 20, range(9), range(4))
        assert shrunk.facts["people"] == 4
        assert await check(database, 20, range(4), range(3)) == []
