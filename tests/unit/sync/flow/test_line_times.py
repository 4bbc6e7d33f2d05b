"""How long a line was in a state, by day."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.flow.line_times import spent
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person

TODAY, YESTERDAY = "2026-11-23", "2026-11-22"


def at(moment: datetime) -> int:
    return int(moment.timestamp())


def counted(one: Integration | None = None, **values: Any) -> list[tuple[str, int]]:
    said = {"line": "on_call", "line_since": at(NOON - timedelta(minutes=41)), "heard_at": NOON, **values}
    row: Person = person(**said)
    return list(spent(row, one or integration(), NOON))  # type: ignore[arg-type]


def test_a_call_is_counted_when_it_ends() -> None:
    assert NOON.date().isoformat() == TODAY
    assert counted() == counted(line="idle") == counted(line="offline") == [(TODAY, 41 * 60)]


def test_what_passes_midnight_is_of_two_days() -> None:
    assert counted(line_since=at(NOON - timedelta(hours=14))) == [(YESTERDAY, 2 * 3600), (TODAY, 12 * 3600)]


def test_a_state_of_weeks_is_counted_for_two_days() -> None:
    found = counted(line="do_not_disturb", line_since=at(NOON - timedelta(days=40)))
    assert sum(seconds for _, seconds in found) == 2 * 24 * 3600


def test_a_state_not_heard_of_ended_when_it_became_stale() -> None:
    since, heard = NOON - timedelta(hours=9), NOON - timedelta(hours=8)
    assert counted(line_since=at(since), heard_at=heard) == [(TODAY, 2 * 3600)]


@pytest.mark.parametrize(
    "values",
    [
        {"line": "unknown"},
        {"line_since": 0},
        {"line_since": at(NOON + timedelta(minutes=5))},
        {"teams_user_id": None},
        {"excluded": True},
    ],
)
def test_what_teams_could_not_show_is_not_counted(values: dict[str, Any]) -> None:
    assert counted(**values) == []


@pytest.mark.parametrize("values", [{"enabled": False}, {"closed": True}])
def test_nothing_is_counted_while_presence_is_off(values: dict[str, Any]) -> None:
    assert counted(integration(**values)) == []
