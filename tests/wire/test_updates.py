"""Feature updates installed over the wire: integrations made at version 1, against the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from storage.queries import history
from storage.tables.updates import FeatureUpdate
from sync.domain.errors import Fault
from sync.domain.jobs import SHOW_UPDATE
from sync.domain.model import Actor, UnknownIntegration
from sync.updates import SETTLED, available
from sync.updates.model import CardAddress, Installation, InstallationState
from tests.support.engines import QUICK, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import (
    IN_A_CALL,
    STATUS_TEXT,
    only_integration,
    person_by_extension,
    wait_for_status_message,
)
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

pytestmark = pytest.mark.usefixtures("each_database")

ANA = Actor("ana", "Ana Admin")
RUI = Actor("rui", "Rui Admin")
CARD = CardAddress(TENANT, "ana", "card-1")
SOFIA = "2019"
"""Known in Teams by a proxy address only."""


@asynccontextmanager
async def at_first_version(folder: Path, **options: Any) -> AsyncIterator[tuple[SandboxHandle, RunningEngine]]:
    async with running_sandbox() as sandbox, running_engine(sandbox, folder, **options) as running:
        await running.connect()
        await running.wait_until_sent()
        await sandbox.clear_log()
        yield sandbox, running


async def begin(
    running: RunningEngine, upto: int = 3, by: Actor = ANA, card: CardAddress = CARD
) -> Installation | None:
    updates, name = running.engine.updates, await running.integration_id()
    return await updates.install(TENANT, name, upto, STATUS_TEXT, by, card)


async def seen(running: RunningEngine) -> Installation:
    found = await running.engine.updates.cards_to_update(await running.integration_id())
    assert found is not None
    return found[0]


async def ended(running: RunningEngine, within: float = 30.0) -> Installation:
    async def is_over() -> bool:
        return not (await seen(running)).is_open

    await eventually(is_over, within)
    return await seen(running)


async def installed(running: RunningEngine, upto: int = 3) -> Installation:
    assert await begin(running, upto)
    return await ended(running)


async def version(running: RunningEngine) -> int:
    return (await only_integration(running)).feature_version


async def test_updates_are_offered_one_by_one_with_what_they_would_change_here(tmp_path: Path) -> None:
    async with at_first_version(tmp_path) as (sandbox, running):
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_sent()
        row = await only_integration(running)
        assert row.enabled_at
        assert (row.feature_version, available(row, row.enabled_at + SETTLED)) == (1, 2)
        assert available(row, row.enabled_at) is None
        assert await effects(running) == {(2, "matched"): (1, ("Sofia Marques",))}
        assert await version(running) == 1
        await begin(running, upto=2)

        async def is_installed() -> bool:
            return await version(running) == 2

        await eventually(is_installed)
        assert (await effects(running))[3, "on_the_phone"] == (1, ("Ana Martins",))


async def effects(running: RunningEngine) -> dict[tuple[int, str], tuple[int, tuple[str, ...]]]:
    """What the next update would change here."""
    offer = await running.engine.updates.offer(TENANT, await running.integration_id())
    return {(due.version, each.key): (each.count, each.names) for due in offer.pending for each in due.changes}


async def test_both_are_installed_in_order_and_calls_during_it_are_shown(tmp_path: Path) -> None:
    async with at_first_version(tmp_path) as (sandbox, running):
        await sandbox.call("2002")
        await running.wait_until_shown("2002", *IN_A_CALL)
        await sandbox.set_faults(slow_seconds=0.2)
        assert await begin(running)
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.set_faults(slow_seconds=0.0)
        over = await ended(running)
        assert [(each.version, each.state) for each in over.updates] == [
            (2, InstallationState.COMPLETED),
            (3, InstallationState.COMPLETED),
        ]
        assert (over.percent, await version(running)) == (100, 3)
        assert over.updates[0].results == {"matched": 1}
        await sandbox.call(SOFIA)
        await running.wait_until_shown("Sofia Marques", *IN_A_CALL)
        for who in ("2001", "2002", SOFIA):
            await wait_for_status_message(sandbox, who, STATUS_TEXT)
        assert (await running.status()).update is None


async def test_two_who_press_together_start_one_installation_and_both_cards_show_it(tmp_path: Path) -> None:
    async with at_first_version(tmp_path) as (sandbox, running):
        await sandbox.set_faults(slow_seconds=0.1)
        other = CardAddress(TENANT, "rui", "card-2")
        both = await asyncio.gather(begin(running), begin(running, by=RUI, card=other), begin(running))
        [first] = {one.by for one in both if one}
        found = await running.engine.updates.cards_to_update(await running.integration_id())
        assert found is not None
        assert {place.activity_id for place in found[1]} == {"card-1", "card-2"}
        await ended(running)
        async with running.database.session() as session:
            rows = (await session.exec(select(FeatureUpdate))).all()
            acts = await history.page(session, TENANT, 0, 10)
        assert sorted((row.version, row.state) for row in rows) == [(2, "completed"), (3, "completed")]
        installs = [act for act in acts if act.act == "update_installed"]
        assert sorted((act.facts["version"], act.result, act.actor_name) for act in installs) == [
            (2, "done", first),
            (3, "done", first),
        ]
        assert await begin(running) is None


async def test_an_old_dialog_and_another_tenant_start_nothing(tmp_path: Path) -> None:
    async with at_first_version(tmp_path) as (_, running):
        assert await begin(running, upto=1) is None
        assert await begin(running, upto=4) is None
        updates, name = running.engine.updates, await running.integration_id()
        with pytest.raises(UnknownIntegration):
            await updates.install("another tenant", name, 3, STATUS_TEXT, ANA, CARD)
        with pytest.raises(UnknownIntegration):
            await updates.offer("another tenant", name)
        with pytest.raises(UnknownIntegration):
            await updates.roll_back("another tenant", name, 3, ANA, CARD)
        assert await version(running) == 1


async def test_steps_count_what_they_do(tmp_path: Path) -> None:
    """What the cards show: each step by its name, each count as it grows."""
    async with at_first_version(tmp_path) as (_, running):
        steps: list[tuple[int, str, int, int, int]] = []

        async def note(_integration_id: str) -> None:
            now = (await seen(running)).current
            steps.append((now.version, now.step, now.done, now.total, (await seen(running)).percent))

        running.engine.jobs.replace(SHOW_UPDATE, note)
        await installed(running)
        await eventually(lambda: _is_last(steps))
        assert {(2, "read", 28), (3, "read", 22)} & {(version, step, total) for version, step, _, total, _ in steps}
        assert all(done <= total for _, _, done, total, _ in steps)
        percents = [step[4] for step in steps]
        assert percents == sorted(percents)
        assert percents[-1] == 100


async def _is_last(steps: list[tuple[int, str, int, int, int]]) -> bool:
    return bool(steps) and steps[-1][4] == 100


async def test_a_lasting_outage_rolls_back_what_was_done_and_says_why(tmp_path: Path) -> None:
    quick = replace(QUICK, update_timeout=0.5, schedule=0.2)
    async with at_first_version(tmp_path, intervals=quick) as (sandbox, running):
        await sandbox.set_faults(graphOutage=True)
        over = await installed(running)
        failed = over.current
        assert (failed.version, failed.state, failed.failed_step) == (2, InstallationState.FAILED, "read")
        assert failed.fault == Fault.GRAPH_UNREACHABLE
        assert [each.version for each in over.updates] == [2]
        assert await version(running) == 1
        await sandbox.set_faults(graphOutage=False)
        assert (await installed(running)).percent == 100
        assert await version(running) == 3


async def test_a_short_outage_only_delays(tmp_path: Path) -> None:
    quick = replace(QUICK, update_timeout=30)
    async with at_first_version(tmp_path, intervals=quick) as (sandbox, running):
        await sandbox.set_faults(graphOutage=True)
        assert await begin(running)
        await asyncio.sleep(0.4)
        assert (await seen(running)).is_open
        await sandbox.set_faults(graphOutage=False)
        assert [each.state for each in (await ended(running)).updates] == [
            InstallationState.COMPLETED,
            InstallationState.COMPLETED,
        ]


async def test_a_failing_second_update_keeps_the_first_and_rolls_back_its_own_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_first_version(tmp_path) as (sandbox, running):
        last = running.engine.updates._catalogue[3].steps[-1]

        async def breaks(*_: Any) -> Any:
            raise ZeroDivisionError

        monkeypatch.setattr(last, "next_batch", breaks)
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        over = await installed(running)
        assert [(each.version, each.state) for each in over.updates] == [
            (2, InstallationState.COMPLETED),
            (3, InstallationState.FAILED),
        ]
        assert (over.current.fault, over.current.failed_step) == ("unexpected", "announce")
        row = await only_integration(running)
        assert (row.feature_version, row.status_text) == (2, "")
        await wait_for_status_message(sandbox, "2001", None)
        assert await sandbox.shown("2001") == IN_A_CALL


async def test_both_can_be_undone_in_turn(tmp_path: Path) -> None:
    async with at_first_version(tmp_path) as (sandbox, running):
        await installed(running)
        for extension in ("2001", SOFIA):
            await sandbox.call(extension)
            await wait_for_status_message(sandbox, extension, STATUS_TEXT)
        name, updates = await running.integration_id(), running.engine.updates
        assert await updates.roll_back(TENANT, name, 2, ANA, CARD) is None
        assert (await updates.offer(TENANT, name)).undoable == 3
        assert await updates.roll_back(TENANT, name, 3, ANA, CARD)
        assert (await ended(running)).current.state is InstallationState.UNDONE
        await wait_for_status_message(sandbox, "2001", None)
        await wait_for_status_message(sandbox, SOFIA, None)
        assert await updates.roll_back(TENANT, name, 2, ANA, CARD)
        await ended(running)
        await running.wait_until_shown("Sofia Marques", "Available", "Available")
        assert await sandbox.shown("2001") == IN_A_CALL
        sofia = await person_by_extension(running, SOFIA)
        assert (sofia.teams_user_id, sofia.unmatched, await version(running)) == (None, "not_found", 1)
        assert [due.version for due in (await updates.offer(TENANT, name)).pending] == [2]


async def test_a_new_integration_may_start_at_the_newest_version(tmp_path: Path) -> None:
    async with (
        running_sandbox() as sandbox,
        running_engine(sandbox, tmp_path, initial_version=3) as running,
    ):
        await running.connect()
        assert (await running.status()).matched == 22
        assert (await running.status()).update is None
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_sent()
        assert (await sandbox.teams("2001"))["statusMessage"] is None
