"""The load at a size that fits every test run: nothing lost, nothing wrong, no quota exceeded; figures are printed.

``python -m tests.load`` is the same with a thousand tenants; ``docs/scale.md`` has its figures.
"""

from pathlib import Path

import pytest

from tests.load.report import table
from tests.load.run import Plan, run
from tests.support.storage.postgres import fresh_database

SMALL = Plan(
    tenants=6,
    people=5,
    workers=2,
    minutes=0.3,
    warm_up=2,
    calls_per_hour=600,
    talk=2,
    quota=40,
    messages=True,
    settle=90,
)
"""More calls than the quota lets through at once, so that a killed worker's spending matters."""


@pytest.mark.timeout(300)
async def test_a_killed_worker_loses_nothing_and_exceeds_no_quota(tmp_path: Path) -> None:
    with fresh_database() as url:
        outcome = await run(SMALL, url, tmp_path)
    print(f"\n{table(outcome)}")
    assert outcome.alarms == {}
    assert outcome.failures == 0
    assert outcome.settled_after is not None
    assert outcome.counts["changes"] > 20
    assert outcome.counts["presence requests"] > 50
    assert len(outcome.latencies) > 10
