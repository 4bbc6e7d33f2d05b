"""What Teams shows is read back over the wire, and `status` says what was read."""

from dataclasses import replace
from pathlib import Path

import pytest

from sync.domain.model import Proof
from sync.domain.presence import Effect
from tests.support.clocks import FakeClock
from tests.support.engines import QUICK, RunningEngine
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL, answer_call, connected_engine, presence_requests

MINUTELY = replace(QUICK, schedule=5, poll=86_400)
READ = "/v1.0/communications/getPresencesByUserId"


async def read_again(running: RunningEngine, clock: FakeClock) -> Proof:
    """What was read at least a minute later."""
    clock.advance(seconds=61)

    async def is_read() -> bool:
        return (await running.status()).proof.read_at == clock()

    await eventually(is_read)
    await running.wait_until_sent()
    return (await running.status()).proof


async def test_teams_is_read_back_in_one_request_a_minute_and_what_is_hidden_is_sent_again_once(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with connected_engine(tmp_path, clock=clock, intervals=MINUTELY) as (sandbox, running):
        await sandbox.set_faults(graph_drift=True)
        for extension in ("2001", "2002", "2003"):
            await answer_call(sandbox, extension)
            await running.wait_until_shown(extension, *IN_A_CALL)
        await running.wait_until_sent()
        assert (await read_again(running, clock)).shown == 3
        await sandbox.chosen("2001", "DoNotDisturb", "DoNotDisturb")
        await sandbox.set_faults(graph_hides=True)
        rui = sandbox.world.teams_user((await sandbox.teams("2002"))["id"])
        assert rui
        rui.session = None
        before = len(await presence_requests(sandbox))
        proofs = [await read_again(running, clock) for _ in range(3)]
        chosen = (Effect.CHOSEN, "DoNotDisturb", 1)
        assert proofs[-1].others == (chosen, (Effect.PERHAPS_CHOSEN, "Available", 1))
        assert len(await presence_requests(sandbox)) == before + 1
        reads = [entry for entry in await sandbox.log() if entry["path"] == READ]
        assert len(reads) == 4
        delay = (await running.status()).delay
        assert delay is None or delay.changes <= 4


@pytest.mark.long
async def test_where_graph_refuses_to_be_read_presence_is_shown_and_status_claims_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    async with connected_engine(tmp_path, clock=clock, intervals=MINUTELY) as (sandbox, running):
        await sandbox.set_faults(graph_unreadable=True)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_sent()
        proof = await read_again(running, clock)
        assert (proof.refused, proof.checked) == (True, 0)
        assert all(each.error is None for each in (await running.status()).service_health)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", "Available", "Available")
