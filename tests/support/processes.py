"""``app.py`` as a separate process, started by its command line and ended with the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "app.py"


@contextmanager
def app_process(folder: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """``app.py`` with these arguments and settings alone, its data in ``folder``; ended with the block."""
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data"), "PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, str(APP), *arguments],
        env=environment | settings,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run_app(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run it to its end: exit code, output, error output."""
    with app_process(folder, *arguments, **settings) as process:
        output, errors = process.communicate(timeout=100)
    return process.returncode, output, errors
