"""The simulation finds real faults: with the fix of one undone, a day fails."""

import subprocess
import sys

import pytest

from tests.support.tools import ROOT


@pytest.mark.parametrize(
    ("fix", "seed"),
    [
        ("ended_calls_stay_ended", 0),
        ("ringing_is_a_call", 0),
        ("others_wishes_are_ignored", 16),
        ("times_of_the_future_are_believed", 4),
        ("guests_are_matched", 12),
    ],
)
def test_a_day_fails_without_the_fix(fix: str, seed: int) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(seed), "--undone", fix]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is shown as" in done.stdout
