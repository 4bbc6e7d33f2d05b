from datetime import timedelta
from pathlib import Path

import pytest

from storage.queries import integrations
from storage.queries.health import problems
from sync.phones import missed_alert
from sync.phones.missed_alert import LASTING, MIN_MISSED
from sync.problems.incidents import EVENTS_MISSED
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, stored

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.mark.parametrize(
    ("missed", "lasted", "expected"),
    [
        (MIN_MISSED, LASTING, [EVENTS_MISSED]),
        (MIN_MISSED - 1, LASTING, []),
        (MIN_MISSED, LASTING - timedelta(seconds=1), []),
    ],
)
async def test_what_lasts_is_reported_once_and_closed_when_events_arrive_again(
    tmp_path: Path, missed: int, lasted: timedelta, expected: list[str]
) -> None:
    row = integration(
        subscription_id="s", live_since=NOON, missed=missed, missed_since=NOON, missed_at=NOON + lasted
    )
    async with empty_store(tmp_path) as database:
        await stored(database, row)
        for minutes, heard in ((11, None), (12, None), (75, timedelta(minutes=74))):
            async with database.writing() as session:
                found = await integrations.get_for_update(session, "i1")
                assert found
                found.last_webhook_at = NOON + heard if heard else None
                await missed_alert.check(session, found, NOON + timedelta(minutes=minutes))
            async with database.session() as session:
                opened = [problem.fault for problem in await problems.list_open(session, "i1")]
            assert opened == ([] if heard else expected)
