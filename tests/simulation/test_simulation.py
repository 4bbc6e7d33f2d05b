"""200 simulated days, or as many as fit in 128 seconds of processor; ``docs/simulation.md`` has the figures."""

import subprocess
import sys

import pytest

from tests.support.tools import ROOT


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seeds", ["0-99", "100-199"])
def test_after_each_day_teams_shows_what_the_phones_say(seeds: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", seeds, "--seconds", "64"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
