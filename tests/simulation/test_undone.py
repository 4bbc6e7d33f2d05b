"""The simulation finds real faults: with the fix of one undone, a day fails."""

import json
import os
import subprocess
import sys

from tests.support.tools import ROOT

DAYS = {
    "ended_calls_stay_ended": 13,
    "ringing_is_a_call": 0,
    "others_wishes_are_ignored": 4,
    "times_of_the_future_are_believed": 16,
    "guests_are_matched": 11,
    "removals_forget_the_quota": 401,
}
"""The seed of a day that fails without each fix."""

SAID = {"removals_forget_the_quota": "requests within 30 s"}
"""What the fault says, where it is not that someone ``is shown as`` something wrong."""


def test_a_day_fails_without_the_fix() -> None:
    """In one process: its start costs more than a day."""
    days = [f"{fix}={seed}" for fix, seed in DAYS.items()]
    command, environment = [sys.executable, "-m", "tests.simulation.undone", *days], {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    faults: dict[str, list[str]] = json.loads(done.stdout)
    missed = {fix: faults[fix] for fix in DAYS if SAID.get(fix, "is shown as") not in "".join(faults[fix])}
    assert missed == {}
