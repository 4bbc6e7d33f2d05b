"""The Dockerfile is checked against its rules, and what it copies is run as in the image: read-only, unprivileged.

No engine builds the image here: whether the base images and packages are available is not tested.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from settings import Settings
from tests.deploy.dockerfiles import Stage, read_stages
from tests.support.tools import ROOT

SETTINGS = {name.upper() for name in Settings.model_fields}
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""Takes root's permission to write everywhere, as in a container without capabilities."""


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read_stages(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def built(stages: list[Stage]) -> Stage:
    return stages[0]


@pytest.fixture(scope="module")
def final(stages: list[Stage]) -> Stage:
    return stages[-1]


def copied(stage: Stage) -> list[str]:
    """What comes from the checkout."""
    return [source for each in stage.all("COPY") if "--from" not in each.text for source in each.words[:-1]]


def commands(stage: Stage) -> str:
    return " ".join(each.text for each in stage.all("RUN"))


def test_both_stages_use_the_same_slim_python_image(stages: list[Stage]) -> None:
    assert len(stages) == 2
    assert len({stage.base for stage in stages}) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", stages[0].base)


def test_the_locked_dependencies_are_installed_by_their_hashes_and_nothing_is_compiled(built: Stage) -> None:
    installs = re.findall(r"install [^&]*", commands(built))
    assert len(installs) == 1
    for option in ("--require-hashes", "--only-binary=:all:", "-r requirements/runtime.txt", "--no-cache-dir"):
        assert option in installs[0]


def test_the_final_stage_takes_only_what_was_built_and_installs_nothing(final: Stage) -> None:
    assert copied(final) == []
    assert final.all("ADD") == []
    assert not re.search(r"pip install|apt|apk|curl|wget|gcc", commands(final))
    assert re.search(r"pip uninstall .*\bpip\b", commands(final))


def test_it_runs_as_a_numeric_user_other_than_root(final: Stage) -> None:
    user, group = final.last("USER").text.split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    assert f"--owner={user} --group={group} --mode=700 /data" in commands(final)
    assert final.instructions.index(final.last("USER")) > final.instructions.index(final.all("RUN")[-1])


def test_the_program_itself_gets_the_signal_to_stop(final: Stage) -> None:
    assert final.last("ENTRYPOINT").text == '["python", "app.py"]'
    assert final.all("CMD") == []
    assert final.last("STOPSIGNAL").text == "SIGTERM"


def test_what_it_sets_are_settings_and_no_secrets(final: Stage) -> None:
    own = {name for name in final.environment if not name.startswith(("PATH", "PYTHON"))}
    assert own == {"HOST", "PORT", "OPERATIONS_HOST", "OPERATIONS_PORT", "DATA_DIR"}
    assert own < SETTINGS
    assert [each for stage in (final,) for each in stage.all("ARG")] == []


def test_the_build_context_holds_only_what_is_copied(built: Stage) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    shown = {line[1:] for line in lines if line.startswith("!")}
    assert shown == set(copied(built))
    assert set(lines[1:]) - {f"!{name}" for name in shown} == {"**/__pycache__"}


def lay_out(stage: Stage, folder: Path) -> None:
    """Copy from the checkout what the build copies, to where it copies it."""
    for each in stage.all("COPY"):
        *sources, target = each.words
        for source in sources:
            place = folder / target / (Path(source).name if target.endswith("/") else "")
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)


def make_read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def container(stages: list[Stage], folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """``ENTRYPOINT`` on a read-only tree with only DATA_DIR to write to; yields it, and the tree."""
    tree, data = folder / "app", folder / "data"
    lay_out(stages[0], tree)
    data.mkdir()
    make_read_only(tree)
    environment = {name: value for name, value in stages[-1].environment.items() if name.startswith("PYTHON")}
    settings = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "OPERATIONS_PORT": "0",
        "DATA_DIR": str(data),
        "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true",
    }
    python, *rest = stages[-1].last("ENTRYPOINT").words
    assert python == "python"
    process = subprocess.Popen(
        [*(UNPRIVILEGED if os.geteuid() == 0 else ()), sys.executable, *rest, *arguments],
        env={"PATH": os.environ["PATH"], **environment, **settings},
        cwd=tree,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, tree
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def port_of(process: subprocess.Popen[str], name: str = "port") -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(rf'"{name}":(\d+)', line):
            return int(found[1])
    raise AssertionError(f"it ended: {process.wait()}")


def test_what_is_copied_suffices_and_it_writes_nowhere_else(stages: list[Stage], tmp_path: Path) -> None:
    with container(stages, tmp_path) as (process, tree):
        before = contents(tree)
        url = f"http://127.0.0.1:{port_of(process, 'operations_port')}/readyz"
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.wait(60) == 0
        assert contents(tree) == before
        assert {path.name for path in (tmp_path / "data").iterdir()} == {"presence.db", "secret.key"}


def test_its_tree_is_read_only(stages: list[Stage], tmp_path: Path) -> None:
    lay_out(stages[0], tmp_path / "app")
    make_read_only(tmp_path / "app")
    as_the_container = UNPRIVILEGED if os.geteuid() == 0 else ()
    tried = subprocess.run(
        [*as_the_container, "touch", str(tmp_path / "app/bot/new")], check=False, capture_output=True
    )
    assert tried.returncode != 0


@pytest.mark.long
def test_what_is_compiled_beforehand_by_importing_it_can_be_imported(built: Stage, tmp_path: Path) -> None:
    lay_out(built, tmp_path)
    (imported,) = re.findall(r'-c "(.+?)"', commands(built))
    assert {"app", "sync.teams.sdk", "sync.jobs.postgres"} <= set(re.findall(r"[\w.]+", imported))
    subprocess.run([sys.executable, "-c", imported], cwd=tmp_path, check=True)


@pytest.mark.long
def test_a_command_is_given_after_the_images_name(stages: list[Stage], tmp_path: Path) -> None:
    with container(stages, tmp_path, "migrate") as (process, _):
        assert process.wait(60) == 0
        assert (tmp_path / "data/presence.db").exists()


@pytest.mark.long
def test_its_health_check_is_readyz(stages: list[Stage], tmp_path: Path) -> None:
    text = stages[-1].last("HEALTHCHECK").text
    check = stages[-1].last("HEALTHCHECK").__class__("CMD", text.partition(" CMD ")[2]).words
    assert check[0] == "python"
    with container(stages, tmp_path) as (process, _):
        ports = (str(port_of(process, "operations_port")), "1")
        command, given = [sys.executable, *check[1:]], [{"OPERATIONS_PORT": port} for port in ports]
        healthy = [subprocess.run(command, env=each, check=False, capture_output=True) for each in given]
    assert [run.returncode for run in healthy] == [0, 1]
