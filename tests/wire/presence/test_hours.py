"""The edges of a schedule over the wire: what Graph receives when the hours end and when they begin."""

from datetime import timedelta
from pathlib import Path

import pytest

from sync.domain.schedule import Period, Schedule
from sync.scheduling.scheduler import Intervals
from tests.support.clocks import NOON, FakeClock
from tests.support.engines import ADMIN, TENANT
from tests.support.presence import AVAILABLE, IN_A_CALL, answer_call, connected_engine, presence_requests

pytestmark = pytest.mark.usefixtures("each_database")


SLOW = Intervals(poll=3600, poll_with_webhooks=3600, match=36000, check_subscription=36000, tick=0.02)


@pytest.mark.long
async def test_calls_are_cleared_at_the_end_and_shown_at_the_begin(tmp_path: Path) -> None:
    clock = FakeClock()
    async with connected_engine(tmp_path, clock=clock, intervals=SLOW) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        end = NOON + timedelta(minutes=10)
        hours = Period((end + timedelta(minutes=30)).time(), end.time())
        (view,) = await running.engine.integrations.list(TENANT)
        schedule = Schedule("UTC", ((hours,),) * 7)
        saved = await running.engine.schedules.save(TENANT, view.id, view.revision, schedule, ADMIN)
        assert (saved.closed, saved.turns_at) == (False, end)
        clock.advance(minutes=10)
        await running.wait_until_shown("2001", *AVAILABLE)
        await answer_call(sandbox, "2002")
        status = await running.engine.overview.status(TENANT, view.id)
        assert (status.integration.closed, status.integration.turns_at) == (True, end + timedelta(minutes=30))
        clock.advance(minutes=30)
        for extension in ("2001", "2002"):
            await running.wait_until_shown(extension, *IN_A_CALL)
        sent = [call["body"].get("activity", "clear") for call in await presence_requests(sandbox)]
        assert sent[:2] == ["InACall", "clear"]
        assert set(sent[2:]) == {"InACall"}
