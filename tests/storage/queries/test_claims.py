import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries.chat import claims
from storage.queries.chat.claims import ATTEMPT_WINDOW, MAX_PER_CODE, MAX_PER_PERSON
from storage.tables.roles import ClaimCode
from tests.support.clocks import NOON
from tests.support.storage.shared_store import two_processes
from tests.support.storage.stores import empty_store

DAY = timedelta(hours=24)


def code(name: str = "ABCD", tenant: str = "t1") -> ClaimCode:
    return ClaimCode(tenant_id=tenant, id=name, salt=b"salt", hashed=b"hashed", expires_at=NOON + DAY)


async def keep(database: Database, *codes: ClaimCode) -> None:
    async with database.writing() as session:
        for each in codes:
            await claims.save(session, each, NOON)


async def is_good(database: Database, tenant: str = "t1", name: str = "ABCD", **later: float) -> bool:
    async with database.session() as session:
        return await claims.find_valid(session, tenant, name, NOON + timedelta(**later)) is not None


async def use(database: Database, name: str = "ABCD") -> bool:
    async with database.writing() as session:
        return await claims.consume(session, code(name))


async def attempts(
    database: Database, tenant: str, person: str, times: int, name: str = "ABCD", **later: float
) -> int:
    """How many of so many attempts are accepted."""
    let_through = 0
    for _ in range(times):
        async with database.writing() as session:
            let_through += await claims.record_attempt(session, tenant, person, name, NOON + timedelta(**later))
    return let_through


async def test_a_code_is_valid_in_its_tenant_until_it_expires(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await keep(database, code())
        assert await is_good(database, hours=23, minutes=59)
        assert not await is_good(database, hours=24)
        assert not await is_good(database, tenant="t2")
        assert not await is_good(database, name="")


async def test_each_process_has_its_own_code_and_the_first_use_deletes_all(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await keep(database, code("AAAA"), code("BBBB"), code("CCCC", tenant="t2"))
        assert await is_good(database, name="AAAA")
        assert await use(database, "BBBB")
        assert not await is_good(database, name="AAAA")
        assert not await use(database, "BBBB")
        assert await is_good(database, "t2", "CCCC")


@pytest.mark.parametrize("names", [("AAAA", "AAAA"), ("AAAA", "BBBB")])
async def test_of_two_concurrent_uses_of_a_tenants_codes_one_succeeds(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    async with two_processes(tmp_path) as (one, other):
        await keep(one, code("AAAA"), code("BBBB"))
        assert sorted(await asyncio.gather(use(one, names[0]), use(other, names[1]))) == [False, True]


async def test_expired_codes_are_deleted(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await keep(database, code("AAAA"))
        async with database.writing() as session:
            await claims.save(session, ClaimCode(**code("BBBB").model_dump()), NOON + DAY)
        assert not await is_good(database, name="AAAA")


async def test_a_person_has_few_attempts_an_hour(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        assert await attempts(database, "t1", "eve", MAX_PER_PERSON + 3) == MAX_PER_PERSON
        assert await attempts(database, "t1", "ana", 1) == 1
        just_before = ATTEMPT_WINDOW.total_seconds() - 1
        assert await attempts(database, "t1", "eve", 1, seconds=just_before) == 0
        assert await attempts(database, "t1", "eve", MAX_PER_PERSON + 1, seconds=just_before + 1) == MAX_PER_PERSON


async def test_a_code_that_many_name_may_be_tried_once_by_each(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        tried = [await attempts(database, "t1", f"eve {number}", MAX_PER_PERSON) for number in range(6)]
        assert tried == [MAX_PER_PERSON] * 4 + [1, 1]
        assert await attempts(database, "t1", "ana", 1) == 1


async def test_guesses_that_name_no_code_or_are_of_another_tenant_limit_only_who_guesses(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        for tenant, name in (("t1", ""), ("t1", "WXYZ"), ("t2", "ABCD")):
            for number in range(2 * MAX_PER_CODE):
                await attempts(database, tenant, f"{name} {number}", 1, name=name)
        assert await attempts(database, "t1", "ana", MAX_PER_PERSON + 1) == MAX_PER_PERSON


async def test_concurrent_attempts_on_two_processes_are_all_counted(tmp_path: Path) -> None:
    async with two_processes(tmp_path) as (one, other):
        tried = [attempts(process, "t1", "eve", 2) for process in (one, other) * 3]
        assert sum(await asyncio.gather(*tried)) == MAX_PER_PERSON
