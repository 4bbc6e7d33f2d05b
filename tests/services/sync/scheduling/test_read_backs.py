from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.domain.jobs import READ_BACK
from sync.scheduling.scheduler import Intervals, Scheduler
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.stores import empty_store, integration, person, stored

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"applied": "Busy/InACall", "applied_at": NOON - timedelta(seconds=30)}, ["i1"]),
        ({"applied": "Busy/InACall", "applied_at": NOON - timedelta(seconds=29)}, []),
        ({}, []),
    ],
)
async def test_teams_is_read_back_while_it_shows_something_of_ours(
    tmp_path: Path, values: dict[str, Any], expected: list[str]
) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), integration(id="i2"), person("p1", **values))
        jobs = FakeJobs()
        scheduler = Scheduler(context_of(database, jobs=jobs), Intervals(), paced=(), public=True)
        await scheduler.schedule("")
        assert [key for job, key, _ in jobs.deferred if job == READ_BACK] == expected
