from datetime import datetime, timedelta

import pytest

from storage.queries.people.effects import LastRead
from storage.tables.problems import Problem
from sync.domain.errors import Fault
from sync.scheduling.read_back import due_read_backs
from tests.support.clocks import NOON

APP, OTHER = ("entra", "app"), ("entra", "other")


def problem(service: str) -> Problem:
    return Problem(integration_id="i1", service=service, fault="f", since=NOON, checked_at=NOON)


def due(*last: LastRead, opened: dict[str, list[Problem]] | None = None) -> list[str]:
    return list(due_read_backs(last, opened or {}, 60, 3600, NOON))


@pytest.mark.parametrize(
    ("asked_at", "fault", "expected"),
    [
        (None, "", ["i1"]),
        (NOON - timedelta(seconds=59), "", []),
        (NOON - timedelta(seconds=60), "", ["i1"]),
        (NOON - timedelta(seconds=60), Fault.GRAPH_THROTTLED, ["i1"]),
        (NOON - timedelta(seconds=60), Fault.GRAPH_FORBIDDEN, []),
        (NOON - timedelta(hours=1), Fault.GRAPH_FORBIDDEN, ["i1"]),
        (NOON + timedelta(hours=1), "", ["i1"]),
    ],
)
def test_a_reading_is_due_each_minute_and_rarely_where_graph_refuses(
    asked_at: datetime | None, fault: str, expected: list[str]
) -> None:
    assert due(LastRead("i1", APP, asked_at, fault)) == expected


def test_one_integration_of_an_application_reads_for_all_one_without_a_problem() -> None:
    rows = (LastRead("i1", APP, None, ""), LastRead("i2", APP, None, ""), LastRead("i3", OTHER, None, ""))
    assert due(*rows) == ["i1", "i3"]
    assert due(*rows, opened={"i1": [problem("entra")], "i3": [problem("graph")]}) == ["i2"]
    assert due(*rows, opened={"i1": [problem("cloudlink")]}) == ["i1", "i3"]
