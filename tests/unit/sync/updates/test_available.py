"""An update is offered unasked once presence has run for a day; a true "since" for a healthy status."""

from datetime import datetime, timedelta

import pytest

from storage.tables.problems import Problem
from sync.integrations.views import shown_since
from sync.updates import SETTLED, available
from tests.support.clocks import NOON
from tests.support.storage.stores import integration

HOUR = timedelta(hours=1)
YEAR_AGO = NOON - timedelta(days=365)


@pytest.mark.parametrize(
    ("enabled_at", "last_change_at", "is_offered"),
    [
        (NOON - SETTLED, NOON, True),
        (NOON - SETTLED + HOUR, NOON, False),
        (NOON - SETTLED, None, False),
        (NOON - SETTLED, NOON - SETTLED - HOUR, False),
        (None, NOON, True),
        (NOON + HOUR, NOON, False),
    ],
    ids=[
        "a day",
        "not yet a day",
        "nothing sent",
        "nothing sent since",
        "since before the history",
        "clock set back",
    ],
)
def test_an_update_is_offered_once_presence_has_run_for_a_day(
    enabled_at: datetime | None, last_change_at: datetime | None, is_offered: bool
) -> None:
    """However old the integration is."""
    row = integration(created_at=YEAR_AGO, enabled_at=enabled_at, last_change_at=last_change_at)
    assert (available(row, NOON) is not None) is is_offered


def test_nothing_is_offered_while_presence_is_off() -> None:
    assert available(integration(enabled=False, enabled_at=None, last_change_at=NOON), NOON) is None


def problem(service: str) -> Problem:
    return Problem(integration_id="i1", service=service, fault="x", since=YEAR_AGO, checked_at=NOON)


@pytest.mark.parametrize(
    ("opened", "healed_at", "expected"),
    [
        ([], None, NOON - 3 * HOUR),
        ([], NOON - HOUR, NOON - HOUR),
        ([], NOON - 9 * HOUR, NOON - 3 * HOUR),
        (["effect"], None, None),
        (["cloudlink"], NOON - HOUR, None),
        (["people"], None, NOON - 3 * HOUR),
    ],
)
def test_teams_has_shown_calls_since_the_last_of_what_kept_it_from_doing_so(
    opened: list[str], healed_at: datetime | None, expected: datetime | None
) -> None:
    row = integration(enabled_at=NOON - 3 * HOUR, last_change_at=NOON)
    assert shown_since(row, [problem(service) for service in opened], healed_at) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"enabled": False, "enabled_at": None, "last_change_at": NOON},
        {"enabled_at": None, "last_change_at": NOON},
        {"enabled_at": NOON, "last_change_at": None},
        {"enabled_at": NOON, "last_change_at": NOON - HOUR},
    ],
)
def test_nothing_is_said_of_what_is_not_known(values: dict[str, object]) -> None:
    assert shown_since(integration(**values), [], None) is None
