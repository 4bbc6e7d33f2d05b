"""What is slow to make is made once a run, for all its workers."""

import fcntl
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = "TESTS_SHARED_FOLDER"
"""Names the folder of a run to its workers."""


def share_folder() -> TemporaryDirectory[str] | None:
    """The folder for this run; None in a worker, which has been given one."""
    if FOLDER in os.environ:
        return None
    folder = TemporaryDirectory(prefix="shared-", ignore_cleanup_errors=True)
    os.environ[FOLDER] = folder.name
    return folder


@cache
def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The path where ``make`` wrote something in this run; other workers wait until it is whole."""
    path = _folder() / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{name}.unfinished")
            make(unfinished)
            unfinished.rename(path)
    return path


@cache
def _own_folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="shared-", ignore_cleanup_errors=True)


def _folder() -> Path:
    """In a program that is no test run, one of its own."""
    return Path(os.environ.get(FOLDER) or _own_folder().name)
