"""The product's files are their owner's alone, and several starts agree on one key: as processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import run_app, run_command
from tests.support.tools import ROOT

SWITCH = {"DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true"}
MAKE_KEY = "import pathlib; from storage.keys import key_from_file; print(key_from_file(pathlib.Path(%r)))"


@pytest.mark.parametrize("mask", [0o000, 0o022], ids=oct)
def test_every_file_and_folder_is_its_owners_alone_whatever_the_umask(mask: int, tmp_path: Path) -> None:
    umask = os.umask(mask)
    try:
        assert run_command(tmp_path, "rotate-keys", DATA_DIR=str(tmp_path / "new/deep/data"))[0] == 0
    finally:
        os.umask(umask)
    made = list(tmp_path.rglob("*"))
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in made}
    assert {"presence.db", "secret.key", "data", "deep"} <= set(modes)
    assert {mode for path, mode in zip(made, modes.values(), strict=True) if path.is_dir()} == {"0o700"}
    assert {mode for path, mode in zip(made, modes.values(), strict=True) if path.is_file()} == {"0o600"}


@pytest.mark.parametrize("command", ["serve", "rotate-keys"])
@pytest.mark.parametrize(
    ("mode", "content", "says"), [(0o644, "", "chmod 600"), (0o600, "", "whole key"), (0o600, "AAAA", "whole key")]
)
def test_a_key_file_that_is_open_to_others_or_torn_is_a_sentence(
    command: str, mode: int, content: str, says: str, tmp_path: Path
) -> None:
    key = tmp_path / "data/secret.key"
    key.parent.mkdir()
    key.write_text(content)
    key.chmod(mode)
    code, output, errors = run_app(tmp_path, command, **SWITCH)
    assert (code, "Traceback" in output + errors) == (2, False)
    assert (says in errors, str(key) in errors) == (True, True)
    assert not (tmp_path / "data/presence.db").exists()


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "data/secret.key"
    command = [sys.executable, "-c", MAKE_KEY % str(path)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    keys = {process.communicate(timeout=60)[0] for process in started}
    assert keys == {path.read_text()}
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]
