"""A list that suddenly comes back empty or halved is believed only when a second reading agrees."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from storage.tables.people import Person
from storage.tables.problems import Problem
from sync.domain.errors import ServiceUnavailable
from sync.people.sudden_loss import CONFIRM_AFTER
from sync.problems.incidents import LISTS
from tests.support.clocks import FakeClock
from tests.support.engines import TENANT, RunningEngine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL, answer_call, connected_engine, presence_requests
from tests.support.services.sandboxes import SandboxHandle
from tests.wire.presence.test_presence import SLOW_CLOCK

pytestmark = pytest.mark.usefixtures("each_database")


def empty_cloudlink(sandbox: SandboxHandle) -> None:
    sandbox.world.saved.people.clear()


def halved_cloudlink(sandbox: SandboxHandle) -> None:
    del sandbox.world.saved.people[: len(sandbox.world.saved.people) // 2 + 1]


def extensionless_cloudlink(sandbox: SandboxHandle) -> None:
    people = sandbox.world.saved.people
    people[:] = [replace(person, extension=None) for person in people]


def empty_entra(sandbox: SandboxHandle) -> None:
    sandbox.world.saved.teams.clear()


def halved_entra(sandbox: SandboxHandle) -> None:
    for user in sandbox.world.saved.teams[:14]:
        user.upn, user.mail = f"{user.id}@another.example", None


async def match(running: RunningEngine) -> None:
    """As a preview does, which fails afterwards where CloudLink knows none of the phones either."""
    with suppress(ServiceUnavailable):
        await running.engine.overview.preview(TENANT, await running.integration_id())


async def open_losses(running: RunningEngine) -> list[dict[str, object]]:
    async with running.database.session() as session:
        found = (await session.exec(select(Problem).where(Problem.service == LISTS))).all()
    return [row.facts for row in found if row.healed_at is None]


async def matched(running: RunningEngine) -> int:
    async with running.database.session() as session:
        return len([row for row in (await session.exec(select(Person))).all() if row.teams_user_id])


@pytest.mark.parametrize(
    "lose", [empty_cloudlink, halved_cloudlink, extensionless_cloudlink, empty_entra, halved_entra]
)
async def test_an_empty_or_halved_list_changes_nothing_and_opens_a_problem(
    tmp_path: Path, lose: Callable[[SandboxHandle], None]
) -> None:
    async with connected_engine(tmp_path, clock=FakeClock(), intervals=SLOW_CLOCK) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        people, teams = list(sandbox.world.saved.people), list(sandbox.world.saved.teams)
        addresses = [(user.upn, user.mail) for user in teams]
        before = await matched(running)
        for _ in range(2):
            lose(sandbox)
            await match(running)
            assert await matched(running) == before
        assert [facts["side"] for facts in await open_losses(running)] == [lose.__name__.partition("_")[2]]
        assert len(await presence_requests(sandbox)) == 1
        [named] = (await running.status()).lists_shrunk
        assert named["side"] == lose.__name__.partition("_")[2]
        sandbox.world.saved.people[:], sandbox.world.saved.teams[:] = people, teams
        for user, (upn, mail) in zip(teams, addresses, strict=True):
            user.upn, user.mail = upn, mail
        await match(running)
        assert await open_losses(running) == []
        assert await matched(running) == before


async def test_a_second_reading_that_agrees_is_believed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with connected_engine(tmp_path, clock=clock, intervals=SLOW_CLOCK) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_sent()
        halved_cloudlink(sandbox)
        await match(running)
        assert len(await open_losses(running)) == 1
        clock.advance(seconds=(CONFIRM_AFTER + timedelta(seconds=6)).total_seconds())
        await eventually(lambda: is_believed(running))
        await eventually(lambda: is_cleared(sandbox))


async def is_believed(running: RunningEngine) -> bool:
    async with running.database.session() as session:
        [row] = (await session.exec(select(Problem).where(Problem.service == LISTS))).all()
    return row.healed_at is not None and row.facts.get("believed") == 1


async def is_cleared(sandbox: SandboxHandle) -> bool:
    return len(await presence_requests(sandbox)) == 2


async def test_a_few_who_leave_are_believed_at_once(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        before = await matched(running)
        del sandbox.world.saved.people[:3]
        await match(running)
        assert await matched(running) == before - 3
        assert await open_losses(running) == []
