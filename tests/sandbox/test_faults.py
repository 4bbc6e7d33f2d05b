from typing import Any

import pytest

from sandbox.faults import BadFault, Faults


def test_a_partial_change_leaves_the_rest() -> None:
    faults = Faults().changed({"graphOutage": True}).changed({"slowSeconds": 1, "graphQuota": 20})
    assert (faults.graph_outage, faults.slow_seconds, faults.graph_quota) == (True, 1, 20)
    assert not faults.entra_outage


def test_the_switches_the_switchboard_shows() -> None:
    promised = {
        "graphThrottle": False,
        "graphOutage": False,
        "entraOutage": False,
        "cloudlinkOutage": False,
        "loseWebhooks": False,
        "doubleWebhooks": False,
        "slowSeconds": 0,
        "graphQuota": 10_000,
        "graphForbidden": False,
    }
    assert promised.items() <= Faults().as_json().items()


@pytest.mark.parametrize(
    "changes",
    [
        {"graph_outage": True},
        {"nothing": 1},
        {"graphOutage": 1},
        {"graphOutage": "true"},
        {"graphQuota": True},
        {"graphQuota": 1.5},
        {"graphQuota": -1},
        {"slowSeconds": 61},
        {"slowSeconds": None},
        {"cloudlinkClockSeconds": -100_000},
        {"slowSeconds": float("nan")},
    ],
)
def test_other_changes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadFault):
        Faults().changed(changes)
