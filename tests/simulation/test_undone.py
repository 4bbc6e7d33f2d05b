"""The simulation finds real faults: with the fix of one undone, a day fails."""

import subprocess
import sys

import pytest

from tests.support.tools import ROOT


@pytest.mark.parametrize(
    ("fix", "seed", "fault"),
    [
        ("ended_calls_stay_ended", 13, "is shown as"),
        ("ringing_is_a_call", 0, "is shown as"),
        ("others_wishes_are_ignored", 9, "is shown as"),
        ("times_of_the_future_are_believed", 16, "is shown as"),
        ("guests_are_matched", 11, "is shown as"),
        ("removals_forget_the_quota", 391, "requests within 30 s"),
    ],
)
def test_a_day_fails_without_the_fix(fix: str, seed: int, fault: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(seed), "--undone", fix]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert fault in done.stdout
