"""Locked packages can be neither replaced nor fetched from elsewhere; nothing unlocked is used."""

import json
import re

import pytest

from tests.support.tools import ROOT

LOCKS = ["requirements/runtime.txt", "requirements/dev.txt"]
NAME = re.compile(r"[A-Za-z0-9._-]+")


def entries(lock: str) -> list[str]:
    """Each package with the lines that belong to it."""
    text = "\n".join(line for line in (ROOT / lock).read_text().splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip()]


def names(lines: list[str]) -> set[str]:
    found = [match[0] for line in lines if (match := NAME.match(line)) and not line.startswith("-")]
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_to_one_version_by_its_hashes(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 50
    wrong = [
        entry.splitlines()[0]
        for entry in found
        if not re.match(r"[A-Za-z0-9._\[\],-]+==[^\s;]+", entry)
        or not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)
    ]
    assert wrong == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_server(lock: str) -> None:
    assert (
        re.findall(r"\S*://\S*|^-\S+|^--\S*(?:index|find-links|trusted)\S*", "\n".join(entries(lock)), re.M) == []
    )


@pytest.mark.parametrize(("named", "lock"), [("runtime.in", LOCKS[0]), ("dev.in", LOCKS[1])])
def test_everything_named_is_locked(named: str, lock: str) -> None:
    assert names((ROOT / "requirements" / named).read_text().splitlines()) <= names(entries(lock))


def test_every_npm_package_is_locked_by_its_hash_and_names_no_server() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert installed
    for name, package in installed.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_nothing_is_installed_past_the_locks() -> None:
    """Only the maintainer's two tools, installed separately under build/, have no lock."""
    installs = re.findall(r"^.*(?:pip install|npm (?:ci|install|i)\b).*$", (ROOT / "Makefile").read_text(), re.M)
    assert [line for line in installs if "build/" not in line and "could not install" not in line] == [
        "PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes",
        "\t@npm ci --loglevel=error --ignore-scripts",
    ]
