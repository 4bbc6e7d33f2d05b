"""What Graph refuses for one person is that person's; what it refuses for the application stops the tenant."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from core.clock import utc_now
from storage.tables.problems import Problem
from sync.domain.errors import Fault
from sync.domain.model import Service
from sync.domain.people import Reason
from tests.support.clocks import FakeClock
from tests.support.engines import ADMIN, QUICK, TENANT, RunningEngine
from tests.support.eventually import eventually
from tests.support.presence import (
    IN_A_CALL,
    answer_call,
    connected_engine,
    person_by_extension,
    presence_requests,
)
from tests.support.services.sandboxes import SandboxHandle
from tests.support.storage.stores import on_sqlite

pytestmark = pytest.mark.usefixtures("each_database")


async def faults(running: RunningEngine) -> set[Fault]:
    return {health.error.fault for health in (await running.status()).service_health if health.error}


async def is_refused(running: RunningEngine, extension: str, status: int) -> bool:
    return (await person_by_extension(running, extension)).refusal.startswith(str(status))


async def is_accepted(running: RunningEngine, extension: str) -> bool:
    return (await person_by_extension(running, extension)).refusal == ""


async def requests_for(sandbox: SandboxHandle, who: str) -> list[int]:
    user = (await sandbox.teams(who))["id"]
    return [call["status"] for call in await presence_requests(sandbox) if user in call["url"]]


@on_sqlite
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refused_person_stops_nobody_else(tmp_path: Path, status: int) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.refuse("2001", status)
        await answer_call(sandbox, "2001")
        await eventually(lambda: is_refused(running, "2001", status))
        await answer_call(sandbox, "2002")
        await running.wait_until_shown("2002", *IN_A_CALL)
        assert await faults(running) == set()
        await running.wait_until_sent()
        first = (await presence_requests(sandbox))[0]
        assert (first["status"], "2001" in str(first["body"])) == (status, False)
        assert len([entry for entry in await sandbox.log() if entry.get("batch")]) >= 2


async def test_a_refused_person_among_others_is_refused_alone_and_rarely_tried_again(tmp_path: Path) -> None:
    """The clock stands still: the next try is seconds away."""
    async with connected_engine(tmp_path, clock=FakeClock(utc_now())) as (sandbox, running):
        await sandbox.refuse("2001")
        for _ in range(3):
            for extension in ("2001", "2002", "2003"):
                await answer_call(sandbox, extension)
            for extension in ("2002", "2003"):
                await running.wait_until_shown(extension, *IN_A_CALL)
            await eventually(lambda: is_refused(running, "2001", 403))
            for extension in ("2001", "2002", "2003"):
                await sandbox.hangup_all(extension)
            await running.wait_until_sent()
        assert await faults(running) == set()
        assert await requests_for(sandbox, "2001") == [403]
        assert set(await requests_for(sandbox, "2002")) == {200}


async def test_a_passing_refusal_of_one_person_is_tried_again_within_seconds(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.refuse("2001", 401)
        await answer_call(sandbox, "2001")
        await eventually(lambda: is_refused(running, "2001", 401))
        await sandbox.refuse("2001", 0)
        await running.wait_until_shown("2001", *IN_A_CALL, within=20)
        await eventually(lambda: is_accepted(running, "2001"))
        assert await faults(running) == set()


@on_sqlite
async def test_an_account_that_is_locked_for_now_is_that_persons(tmp_path: Path) -> None:
    """Others are shown, Graph has no problem, and *why* says it of the person."""
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.refuse("2001", 423)
        await answer_call(sandbox, "2001")
        await eventually(lambda: has_reason(running, "2001", Reason.BUSY))
        await answer_call(sandbox, "2002")
        await running.wait_until_shown("2002", *IN_A_CALL)
        assert await faults(running) == set()
        await sandbox.refuse("2001", 0)
        await running.wait_until_shown("2001", *IN_A_CALL)


async def has_reason(running: RunningEngine, extension: str, reason: Reason) -> bool:
    person = await person_by_extension(running, extension)
    return (await running.engine.roster.explain(TENANT, person.integration_id, person.id)).reason is reason


@on_sqlite
async def test_a_new_licence_counts_at_the_next_connection_test(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.refuse("2001")
        await answer_call(sandbox, "2001")
        await eventually(lambda: is_refused(running, "2001", 403))
        await sandbox.refuse("2001", 0)
        await running.engine.connection_test.test(TENANT, await running.integration_id(), ADMIN)
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_a_session_that_may_not_be_cleared_yet_is_cleared_later(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.refuse("2001")
        await sandbox.hangup("2001")
        await eventually(lambda: is_refused(running, "2001", 403))
        assert (await person_by_extension(running, "2001")).applied
        await sandbox.refuse("2001", 0)
        await running.wait_until_shown("2001", "Available", "Available", within=20)


@on_sqlite
async def test_when_all_are_forbidden_a_fresh_token_says_whether_consent_is_gone(
    tmp_path: Path,
) -> None:
    intervals = replace(QUICK, recheck_credentials=1.0)
    async with connected_engine(tmp_path, intervals=intervals) as (sandbox, running):
        await sandbox.permissions(Presence_ReadWrite_All=False)
        for extension in ("2001", "2002", "2003"):
            await answer_call(sandbox, extension)
        await eventually(lambda: has_fault(running, Fault.GRAPH_CONSENT_MISSING))
        assert all([not (await person_by_extension(running, each)).refusal for each in ("2001", "2002", "2003")])
        await sandbox.permissions(Presence_ReadWrite_All=True)
        for extension in ("2001", "2002", "2003"):
            await running.wait_until_shown(extension, *IN_A_CALL)


async def has_fault(running: RunningEngine, fault: Fault) -> bool:
    services = (await running.status()).service_health
    return any(each.error and each.error.fault is fault for each in services if each.service is Service.GRAPH)


async def lasting(running: RunningEngine) -> list[str]:
    """The faults that ever stopped a service."""
    async with running.database.session() as session:
        return [row.fault for row in (await session.exec(select(Problem))).all() if row.lasting]


@on_sqlite
@pytest.mark.parametrize(
    "refused", [{"graph": 2}, {"graph": 4}, {"graph": 1, "entra": 1}, {"graph": 1, "entra": 2}]
)
async def test_a_passing_refusal_by_microsoft_neither_stops_nor_warns(
    tmp_path: Path, refused: dict[str, int]
) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        sandbox.world.refuse_next.update(refused)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: is_well(running))
        assert await lasting(running) == []


async def is_well(running: RunningEngine) -> bool:
    return await faults(running) == set()


@on_sqlite
async def test_a_passing_refusal_by_cloudlink_neither_stops_nor_warns(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, webhooks=False) as (sandbox, running):
        sandbox.world.refuse_next.update(cloudlink=4)
        await eventually(lambda: not sandbox.world.refuse_next["cloudlink"])
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: is_well(running))
        assert await lasting(running) == []


async def test_a_lasting_refusal_is_called_so_after_a_second_proof(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.registration_switch("disabled")
        await answer_call(sandbox, "2001")
        await eventually(lambda: has_problem(running, Fault.ENTRA_APP_DISABLED))
        await sandbox.registration_switch("disabled", False)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: is_well(running))


async def has_problem(running: RunningEngine, fault: Fault) -> bool:
    return fault in await lasting(running)


async def test_once_cloudlinks_credentials_are_good_again_the_problem_ends_though_no_phone_is_polled(
    tmp_path: Path,
) -> None:
    intervals = replace(QUICK, recheck_credentials=1.0, poll=3600)
    async with connected_engine(tmp_path, intervals=intervals) as (sandbox, running):
        sandbox.world.refuse_next["cloudlink"] = 1_000_000
        await running.engine.connection_test.test(TENANT, await running.integration_id(), ADMIN)
        await eventually(lambda: has_problem(running, Fault.CLOUDLINK_REFUSED))
        sandbox.world.refuse_next.clear()
        await eventually(lambda: is_well(running))
