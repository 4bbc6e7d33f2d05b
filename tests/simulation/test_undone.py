"""The simulation finds real faults: with the fix of one undone, a day fails."""

import subprocess
import sys

import pytest

from tests.support.tools import ROOT


@pytest.mark.parametrize("fix", ["ended_calls_stay_ended", "ringing_is_a_call", "others_wishes_are_ignored"])
def test_a_day_fails_without_the_fix(fix: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "0", "--undone", fix]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is shown as" in done.stdout
