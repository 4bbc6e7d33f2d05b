"""The load at a size that fits every test run: nothing lost, nothing wrong, no quota exceeded."""

from pathlib import Path

import pytest

from tests.load.run import Plan, run
from tests.support.postgres import fresh_database

SMALL = Plan(tenants=6, people=5, workers=2, minutes=0.3, warm_up=2, calls_per_hour=400, talk=4, settle=90)


@pytest.mark.timeout(300)
async def test_a_few_tenants_lose_nothing_when_one_of_three_processes_is_killed(tmp_path: Path) -> None:
    with fresh_database() as url:
        outcome = await run(SMALL, url, tmp_path)
    assert outcome.alarms == {}
    assert outcome.counts["changes"] > 20
    assert outcome.settled_after is not None
    assert outcome.failures == 0
