"""The product's files are their owner's alone, and several starts agree on one key: as processes."""

import os
import socket
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from storage.keys import key_from_file
from tests.support.processes import FORKS, run_app, run_command

SWITCH = {"DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true"}


def test_every_file_and_folder_is_its_owners_alone_even_without_a_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            settings = {"DATA_DIR": str(tmp_path / "new/deep/data"), "PORT": str(taken.getsockname()[1])}
            assert "another program listens there" in run_command(tmp_path, **SWITCH, **settings)[2]
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
    together, keys = FORKS.Barrier(3), FORKS.SimpleQueue()
    started = [FORKS.Process(target=_put_key, args=(path, together, keys)) for _ in range(3)]
    for process in started:
        process.start()
    assert {keys.get() for _ in started} == {path.read_text().strip()}
    for process in started:
        process.join()
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]


def _put_key(path: Path, together: Barrier, keys: "SimpleQueue[str]") -> None:
    """In a process of its own."""
    together.wait()
    keys.put(key_from_file(path))
