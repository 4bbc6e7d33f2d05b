"""``make package`` for an ordinary user, where another user installed the rest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tools import ROOT

UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""For root, whom a file's mode does not stop otherwise."""

ARGS = "--bot-id 1b2c3d4e-0000-4000-8000-123456789abc --domain presence.contoso.com --sample-developer"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy in which ``.venv`` can be read but not changed, and is older than the list of what belongs in it."""
    for name in ("manifest", "core"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.txt").touch()
    (tmp_path / ".venv").mkdir(mode=0o555)
    return tmp_path


def make_package(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(UNPRIVILEGED if os.geteuid() == 0 else ()),
            "make",
            "package",
            f"PYTHON={sys.executable}",
            f"ARGS={ARGS}",
        ],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_needs_nothing_that_another_user_installed(checkout: Path) -> None:
    ended = make_package(checkout)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (checkout / "build/cloudlink-presence.zip").stat().st_size > 1000


def test_a_folder_that_cannot_be_written_is_named(checkout: Path) -> None:
    (checkout / "build").mkdir(mode=0o555)
    ended = make_package(checkout)
    assert ended.returncode == 2
    assert "build/cloudlink-presence.zip cannot be written: Permission denied" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_old_python_is_named(checkout: Path) -> None:
    old = checkout / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    ended = subprocess.run(
        ["make", "package", f"PYTHON={old}"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "Python 3.11 or newer is needed" in ended.stdout
